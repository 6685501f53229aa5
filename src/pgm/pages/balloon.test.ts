import { describe, expect, test } from 'vitest';
import { PAGE_SIZE } from '../../../formats/sizes.ts';
import { HostMemory } from '../../gmm/host-memory.ts';
import { GuestMemory } from '../guest-memory.ts';
import { HostBacking } from './host-backing.ts';

const PAGES = 256;

function machine(): { memory: GuestMemory; backing: HostBacking } {
  const backing = new HostBacking(new HostMemory());
  const memory = new GuestMemory(backing);
  memory.registerRam(0, PAGES * PAGE_SIZE, 'Base RAM');
  return { memory, backing };
}

const addresses = (...pages: number[]) => pages.map((page) => page * PAGE_SIZE);

describe('Balloon', () => {
  test('gives pages to the host, whatever backs them; they read as zeros, and writes to them are lost', () => {
    const { memory, backing } = machine();
    memory.fill(0, 3 * PAGE_SIZE, 0xaa);
    memory.monitor.engage('test');
    memory.monitor.arm(memory.ranges.all[0], 1);
    const privateBefore = memory.pages.counts.private;
    expect(memory.balloon.inflate(addresses(1, 0, 7))).toBe(3);
    expect(memory.balloon.size).toBe(3);
    expect(memory.pages.counts).toMatchObject({
      ballooned: 3,
      private: privateBefore - 2,
      zero: PAGES - 1,
      monitored: 0,
    });
    expect(backing.account.balloonedPages).toBe(3);
    memory.write(0, Uint8Array.of(1));
    const bytes = new Uint8Array(3 * PAGE_SIZE);
    memory.read(0, bytes);
    expect(bytes.indexOf(0xaa)).toBe(2 * PAGE_SIZE);
    expect(memory.balloon.deflate(addresses(0, 1, 7))).toBe(3);
    expect(backing.account.balloonedPages).toBe(0);
    memory.write(0, Uint8Array.of(1));
    expect(memory.readU32(0)).toBe(1);
  });

  test('counts what it did: no pages after one that is not RAM, and no page twice', () => {
    const { memory, backing } = machine();
    expect(memory.balloon.inflate(addresses(5, 6, PAGES, 7))).toBe(2);
    expect(memory.balloon.inflate(addresses(5, 6))).toBe(2);
    expect([memory.balloon.size, backing.account.balloonedPages]).toEqual([2, 2]);
  });

  test('VERR_INVALID_PARAMETER: garbage instead of addresses, 2^20 pages', () => {
    const { memory } = machine();
    expect(() => memory.balloon.inflate([0x1234])).toThrow(
      expect.objectContaining({ vboxCode: 'VERR_INVALID_PARAMETER' }),
    );
    expect(() => memory.balloon.deflate(new Float64Array(2 ** 20))).toThrow(
      expect.objectContaining({ vboxCode: 'VERR_INVALID_PARAMETER' }),
    );
    expect(memory.balloon.inflate([])).toBe(0);
  });

  test('deflating stops at a page that is not ballooned; inflating at one that a device has mapped', () => {
    const { memory } = machine();
    memory.balloon.inflate(addresses(1, 3));
    expect(memory.balloon.deflate(addresses(1, 2, 3))).toBe(1);
    memory.ranges.all[0].writeLocks[9] = 1;
    expect(memory.balloon.inflate(addresses(8, 9, 10))).toBe(1);
  });

  test('all memory can be in it', () => {
    const { memory } = machine();
    memory.fill(0, PAGES * PAGE_SIZE, 1);
    expect(memory.balloon.inflate(addresses(...Array(PAGES).keys()))).toBe(PAGES);
    expect(memory.pages.counts).toMatchObject({ private: 0, ballooned: PAGES });
  });

  test('of one machine is memory for another, on a host that promised more than it has', () => {
    const host = new HostMemory({ maxPages: 3 * PAGES });
    const [a, b] = [1, 2].map(() => {
      const memory = new GuestMemory(new HostBacking(host, { policy: 'to-be-decided' }));
      memory.registerRam(0, 2 * PAGES * PAGE_SIZE, 'Base RAM');
      return memory;
    });
    const fillAll = (memory: GuestMemory) => memory.fill(0, 2 * PAGES * PAGE_SIZE, 1);
    fillAll(a);
    expect(() => fillAll(b)).toThrow(expect.objectContaining({ vboxCode: 'VERR_EM_NO_MEMORY' }));
    expect(b.pages.backing.handy.flags.noMemory).toBe(true);
    a.balloon.inflate(addresses(...Array(2 * PAGES - 10).keys()));
    expect(b.pages.backing.handy.refill()).toBe('ok');
    fillAll(b);
    expect(b.pages.counts.private).toBe(2 * PAGES);
  });
});
