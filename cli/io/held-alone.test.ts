import { existsSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { world } from '../../formats/world/world.ts';
import { holdAlone, lockOf } from './held-alone.ts';

const folder = mkdtempSync(join(tmpdir(), 'savkit-held-alone-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const path = join(folder, 'journal');
const lock = lockOf(path);

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

  const place = world.process.place();
  const [host, , space] = place.split(' ');
  it.each([
    ['has ended', { pid: 2 ** 30, place }, 0, true],
    ['was on this host before it started anew', { pid: process.pid, place: `${host} x ${space}` }, 0, true],
    ['runs on another host', { pid: 1, place: 'x y z' }, 0, false],
    ['gave no sign of life on another host', { pid: 1, place: 'x y z' }, 60, true],
    ['was killed before it had written its name', '', 60, true],
  ])('takes over from a process only if that %s', async (_, holder, ageSeconds, isTaken) => {
    writeFileSync(lock, holder === '' ? '' : JSON.stringify(holder));
    utimesSync(lock, Date.now() / 1000, Date.now() / 1000 - ageSeconds);
    const held = await holdAlone(path).catch(({ code }) => code);
    expect(held === 'EBUSY').toBe(!isTaken);
    if (isTaken) held();
    rmSync(lock, { force: true });
  });

  it.each(['mine', '{"pid":1}', 'x'.repeat(100_000)])('never removes a file of somebody else', async (content) => {
    writeFileSync(lock, content);
    utimesSync(lock, 1, 1);
    await expect(holdAlone(path)).rejects.toMatchObject({ code: 'EBUSY' });
    expect(readFileSync(lock, 'utf8')).toBe(content);
    rmSync(lock);
  });
});
