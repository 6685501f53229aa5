import { describe, expect, test } from 'vitest';
import { HostMemory, type HostMemoryOptions } from '../../gmm/host-memory.ts';
import { HANDY_PAGES, HandyPages } from './handy-pages.ts';

/** A stock on a host whose machine may have `base` pages. */
function stockOf(base: number, options: HostMemoryOptions = {}): { host: HostMemory; handy: HandyPages } {
  const host = new HostMemory(options);
  const account = host.openAccount();
  account.reserve({ base, shadow: 1, fixed: 1 }, 'to-be-decided', 'normal');
  return { host, handy: new HandyPages(account) };
}

function takeMany(handy: HandyPages, count: number): number[] {
  return Array.from({ length: count }, () => handy.take(0));
}

describe('HandyPages', () => {
  test('asks for a refill at 32 pages, and refills when 8 are left', () => {
    const { handy } = stockOf(1024);
    expect(handy.refill()).toBe('ok');
    expect(handy.count).toBe(HANDY_PAGES);
    takeMany(handy, 95);
    expect([handy.count, handy.flags.needHandyPages]).toEqual([33, false]);
    takeMany(handy, 1);
    expect([handy.count, handy.flags.needHandyPages]).toEqual([32, true]);
    takeMany(handy, 24);
    expect(handy.count).toBe(8);
    takeMany(handy, 1);
    expect([handy.count, handy.flags.needHandyPages]).toEqual([127, false]);
  });

  test('VERR_GMM_SEED_ME: brings a chunk of its own and tries again; chunks of other machines do not count', () => {
    const { host, handy } = stockOf(2048, { seeded: true });
    expect(handy.refill()).toBe('ok');
    const own = takeMany(handy, 600);
    const other = host.openAccount();
    other.reserve({ base: 1024, shadow: 1, fixed: 1 }, 'to-be-decided', 'normal');
    const otherHandy = new HandyPages(other);
    expect(otherHandy.refill()).toBe('ok');
    expect(host.figures.chunks).toBe(3);
    const chunksOf = (ids: number[]) => new Set(ids.map((id) => id >>> 9));
    for (const chunk of chunksOf(takeMany(otherHandy, 100))) expect(chunksOf(own).has(chunk)).toBe(false);
    other.close();
    expect(host.figures.chunks).toBe(2);
  });

  test('deals out neighbours in ascending order', () => {
    const { handy } = stockOf(1024);
    const ids = takeMany(handy, 100);
    expect(ids).toEqual(ids.map((_, i) => ids[0] + i));
  });

  test('VINF_EM_NO_MEMORY: an injected failure raises both flags; the stock is dealt out, then VERR_EM_NO_MEMORY; a refill clears the flags', () => {
    const { handy } = stockOf(1024);
    handy.refill();
    handy.injectFailure = true;
    expect(handy.refill()).toBe('no-memory');
    expect(handy.flags).toEqual({ needHandyPages: true, noMemory: true });
    expect(takeMany(handy, HANDY_PAGES)).toHaveLength(HANDY_PAGES);
    expect(() => handy.take(0x5000)).toThrow(
      expect.objectContaining({ code: 'no-memory', vboxCode: 'VERR_EM_NO_MEMORY', place: { gcPhys: 0x5000 } }),
    );
    handy.injectFailure = false;
    expect(handy.refill()).toBe('ok');
    expect(handy.flags).toEqual({ needHandyPages: false, noMemory: false });
  });

  test('VERR_GMM_HIT_VM_ACCOUNT_LIMIT: tries a quarter, again and again, for at least 32 in all', () => {
    const { handy } = stockOf(200);
    takeMany(handy, HANDY_PAGES - 8);
    expect(handy.count).toBe(8);
    takeMany(handy, 1); // 72 are left, 120 are asked for, then 30
    expect(handy.count).toBe(8 + 30 - 1);
    const { handy: tight } = stockOf(32);
    expect(tight.refill()).toBe('ok');
    expect(tight.count).toBe(32);
  });

  test('VERR_GMM_HIT_GLOBAL_LIMIT: with too few for 32, the failure is told; taking goes on until nothing is left', () => {
    const { handy } = stockOf(1024, { maxPages: 31 });
    expect(() => handy.refill()).toThrow(expect.objectContaining({ vboxCode: 'VERR_GMM_HIT_GLOBAL_LIMIT' }));
    expect(handy.flags.noMemory).toBe(true);
    expect(() => handy.take(0)).toThrow(expect.objectContaining({ vboxCode: 'VERR_EM_NO_MEMORY' }));
  });

  test('VERR_NO_MEMORY: a host without chunks suspends the machine', () => {
    const { host, handy } = stockOf(1024);
    host.limitChunks(0);
    expect(handy.refill()).toBe('no-memory');
    host.limitChunks(1);
    expect(handy.refill()).toBe('ok');
  });

  test('gives its stock back', () => {
    const { host, handy } = stockOf(1024);
    takeMany(handy, 3);
    handy.release();
    expect(host.figures.allocatedPages).toBe(3);
  });
});
