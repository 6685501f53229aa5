import { existsSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { withQuickTime } from '../../formats/testing/quick-time.ts';
import { turn } from '../../formats/world/waiting.ts';
import { world } from '../../formats/world/world.ts';
import { holdAlone, lockOf } from './held-alone.ts';

const folder = mkdtempSync(join(tmpdir(), 'savkit-held-alone-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const path = join(folder, 'journal');
const lock = lockOf(path);
const place = world.process.place();
const [host, , space] = place.split(' ');
/**
 * A process whose number this one has now. Where no system tells when processes began, a number that no process has.
 */
const REUSED = { pid: world.process.begunAt() === '' ? 2 ** 30 : process.pid, place, begunAt: '1' };

describe('holdAlone()', () => {
  it('lets one in at a time', async () => {
    const letGo = await holdAlone(path);
    await expect(holdAlone(path)).rejects.toMatchObject({
      code: 'EBUSY',
      message: expect.stringContaining(`process ${process.pid}`),
    });
    letGo();
    expect(existsSync(lock)).toBe(false);
    const all = await Promise.allSettled(Array.from({ length: 20 }, () => holdAlone(path)));
    const held = all.filter(({ status }) => status === 'fulfilled');
    expect(held).toHaveLength(1);
    for (const each of held) if (each.status === 'fulfilled') each.value();
  });

  it.each([
    ['has ended', { pid: 2 ** 30, place }],
    ['was on this host before it started anew', { pid: process.pid, place: `${host} x ${space}` }],
    ['has ended, and whose number another one may have now', REUSED],
  ])('takes over at once from a process that %s', async (_, holder) => {
    writeFileSync(lock, JSON.stringify(holder));
    // As a wrong clock would date it.
    utimesSync(lock, 4e9, 4e9);
    (await holdAlone(path))();
    expect(existsSync(lock)).toBe(false);
  });

  it.each([
    ['is on another host', JSON.stringify({ pid: 1, place: 'x y z' })],
    ['was killed before it had written its name', ''],
  ])('takes over from a process that %s after half a minute without a sign, whatever the time', async (_, holder) => {
    for (const seconds of [1, Date.now() / 1000, 4e9]) {
      writeFileSync(lock, holder);
      utimesSync(lock, seconds, seconds);
      const waited = await withQuickTime(async (now) => {
        const start = now();
        (await holdAlone(path))();
        return now() - start;
      });
      // Other waits of this process count as well, so the time may be longer.
      expect(waited).toBeGreaterThan(29_999);
    }
  });

  it('sees the signs of life of a process on another host, whose clock was set back', async () => {
    writeFileSync(lock, JSON.stringify({ pid: 1, place: 'x y z' }));
    const taken = withQuickTime(async (now) => {
      const asking = holdAlone(path);
      for (const start = now(); now() - start < 20_000; ) await turn();
      utimesSync(lock, 1, 1);
      return asking;
    });
    await expect(taken).rejects.toMatchObject({ code: 'EBUSY', message: expect.stringContaining('process 1 ') });
    rmSync(lock);
  });

  it('leaves the lock of a process that has taken it over meanwhile', async () => {
    const letGo = await holdAlone(path);
    writeFileSync(lock, '{"pid":1,"place":"x y z"}');
    letGo();
    expect(existsSync(lock)).toBe(true);
    rmSync(lock);
  });

  it.each(['mine', '{"pid":1}', 'x'.repeat(100_000)])('never removes a file of somebody else', async (content) => {
    writeFileSync(lock, content);
    utimesSync(lock, 1, 1);
    await expect(holdAlone(path)).rejects.toMatchObject({ code: 'EBUSY' });
    expect(readFileSync(lock, 'utf8')).toBe(content);
    rmSync(lock);
  });
});
