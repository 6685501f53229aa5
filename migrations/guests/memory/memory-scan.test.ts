import { closeSync, mkdtempSync, openSync, rmSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { PageHashes } from '../../machine/page-hashes.ts';
import { PageSet } from '../../machine/page-set.ts';
import { mixedMachine } from '../../testing/mixed-machine.ts';
import { MemoryScan } from './memory-scan.ts';
import { RamFiles } from './ram-files.ts';

const folder = mkdtempSync(join(tmpdir(), 'savkit-scan-'));
const ram = join(folder, 'ram');
const PAGES = 300;
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('MemoryScan', () => {
  const place = (bytes: number) => {
    writeFileSync(ram, mixedMachine(PAGES).memory);
    return RamFiles.open(
      [
        { path: ram, pages: 130, offset: 170 * 4096 },
        { path: ram, pages: 170, offset: 0 },
      ],
      bytes > 0 ? 'r+' : 'r',
    );
  };

  it('finds each page that differs from its known hash, and no other, over regions in any order', async () => {
    const files = place(1);
    const scan = new MemoryScan(files, 3);
    const known = new PageHashes(PAGES);
    await scan.learn(known);
    const none = new PageSet(PAGES);
    await scan.find(known, none);
    expect(none.size).toBe(0);
    const fd = openSync(ram, 'r+');
    for (const page of [0, 64, 169, 170, 299]) writeSync(fd, Buffer.from([7, 7]), 0, 2, page * 4096 + 4000);
    closeSync(fd);
    const found = new PageSet(PAGES);
    await scan.find(known, found);
    const numbers = [];
    for (let page = found.next(0); page < PAGES; page = found.next(page + 1)) numbers.push(page);
    expect(numbers).toEqual([0, 129, 130, 194, 299]);
    scan.close();
    files.close();
  });

  it('says so when memory ends, or was too short from the start', async () => {
    const files = place(0);
    truncateSync(ram, 100 * 4096);
    const scan = new MemoryScan(files, 1);
    await expect(scan.learn(new PageHashes(PAGES))).rejects.toMatchObject({ code: 'ram-gone' });
    scan.close();
    files.close();
    expect(() => RamFiles.open([{ path: ram, pages: 101, offset: 0 }], 'r')).toThrow(
      expect.objectContaining({ code: 'ram-gone' }),
    );
  });
});
