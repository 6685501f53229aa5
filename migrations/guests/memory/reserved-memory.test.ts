import { mkdtempSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { ReservedMemory } from './reserved-memory.ts';

const folder = mkdtempSync(join(tmpdir(), 'savkit-reserved-'));
const path = join(folder, 'ram');
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const PAGES = 4096;

function emptyFile(): void {
  writeFileSync(path, '');
  truncateSync(path, PAGES * 4096);
}

describe.skipIf(process.platform !== 'linux')('ReservedMemory', () => {
  it('takes all of it', async () => {
    emptyFile();
    await ReservedMemory.begin([
      { path, offset: 0, pages: PAGES / 2 },
      { path, offset: PAGES * 2048, pages: PAGES / 2 },
    ]).done;
    expect(statSync(path).blocks * 512).toBeGreaterThanOrEqual(PAGES * 4096);
  });

  it('refuses at once what does not fit, and says how much room there is', () => {
    emptyFile();
    expect(() => ReservedMemory.begin([{ path, offset: 0, pages: 2 ** 40 }])).toThrow(
      expect.objectContaining({ code: 'no-memory', message: expect.stringMatching(/there is room for \d+ bytes/) }),
    );
  });

  it('says why it could not be taken', async () => {
    const gone = { path: join(folder, 'no', 'ram'), offset: 0, pages: 1 };
    emptyFile();
    const first = { path, offset: -1, pages: 1 };
    await expect(ReservedMemory.begin([first]).done).rejects.toMatchObject({ code: 'no-memory' });
    expect(() => ReservedMemory.begin([gone])).toThrow();
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
