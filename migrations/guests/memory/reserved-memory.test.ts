import { mkdtempSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { ReservedMemory, roomFor } from './reserved-memory.ts';

const folder = mkdtempSync(join(tmpdir(), 'savkit-reserved-'));
const path = join(folder, 'ram');
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const PAGES = 4096;

function emptyFile(): void {
  writeFileSync(path, '');
  truncateSync(path, PAGES * 4096);
}

describe.skipIf(process.platform !== 'linux')('ReservedMemory', () => {
  it('takes all of its memory', async () => {
    emptyFile();
    await ReservedMemory.begin([
      { path, offset: 0, pages: PAGES / 2 },
      { path, offset: PAGES * 2048, pages: PAGES / 2 },
    ]).done;
    expect(statSync(path).blocks * 512).toBeGreaterThanOrEqual(PAGES * 4096);
  });

  it('refuses memory at once that does not fit, and says how much room there is', () => {
    emptyFile();
    expect(() => ReservedMemory.begin([{ path, offset: 0, pages: 2 ** 40 }])).toThrow(
      expect.objectContaining({ code: 'no-memory', message: expect.stringMatching(/there is room for \d+ bytes/) }),
    );
  });

  it('says why the memory could not be taken', async () => {
    const gone = { path: join(folder, 'no', 'ram'), offset: 0, pages: 1 };
    emptyFile();
    const first = { path, offset: -1, pages: 1 };
    await expect(ReservedMemory.begin([first]).done).rejects.toMatchObject({ code: 'no-memory' });
    expect(() => ReservedMemory.begin([gone])).toThrow(
      expect.objectContaining({
        name: 'EnvironmentError',
        code: 'ENOENT',
        message: `Cannot reserve memory in ${gone.path}: no such file or directory`,
      }),
    );
  });

  it('takes nothing more once it is cancelled', async () => {
    emptyFile();
    const pieces = Array.from({ length: 64 }, (_, i) => ({ path, offset: (i * PAGES * 4096) / 64, pages: PAGES / 64 }));
    await ReservedMemory.begin(pieces).cancel();
    truncateSync(path, 0);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(statSync(path).size).toBe(0);
  });
});

describe('roomFor()', () => {
  const HUGE = 2 ** 21;
  it.each([
    ['tmpfs counts what the file has', { type: 0x0102_1994, blocks: 100, bavail: 3, bsize: 4096 }, 8192, 20_480],
    ['of a memfd nothing is told', { type: 0x0102_1994, blocks: 0, bavail: 0, bsize: 4096 }, 0, Infinity],
    // As seen where 5 of 8 huge pages were mapped, and none written yet.
    ['huge pages may be reserved', { type: 0x9584_58f6, blocks: 8, bavail: 3, bsize: HUGE }, 0, Infinity],
  ])('%s', (_, figures, taken, room) => {
    expect(roomFor(figures, taken)).toBe(room);
  });
});
