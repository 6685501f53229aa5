import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { STATES_FOLDER } from '../src/testing/states.ts';
import { runHere } from './testing/run-here.ts';
import { savkitFile } from './testing/savkit-json.ts';

const long = join(STATES_FOLDER, 'own-long.sav');
const pae = join(STATES_FOLDER, 'own-pae.sav');

describe('savkit walk', () => {
  it('shows each entry on the way and where it leads', async () => {
    const { stdout, exitCode } = await runHere('walk', long, '0xffffffff`80001234');
    expect(exitCode).toBe(0);
    expect(stdout).toContain('0xffffffff80001234 → 0x287234  4 KiB page, --- (AMD64+NX)');
    expect(stdout).toMatch(/PT +0x16008 +0x8000000000287001 +P--------X/);
  });

  it('ends with 3 when an address leads nowhere, and says why', async () => {
    const { exitCode, result } = await savkitFile<{ walks: object[] }>('walk', pae, '0xc0001234', '0x400000');
    expect(exitCode).toBe(3);
    expect(result.walks).toMatchObject([
      { status: 'mapped', physical: '0x287234' },
      { status: 'not-present', level: 2 },
    ]);
  });

  it('takes another root, and refuses unknown CPUs and malformed numbers', async () => {
    const { result } = await savkitFile<{ walks: object[] }>('walk', long, '0', '--cr3', '0x14000');
    expect(result.walks).toMatchObject([{ status: 'not-present', level: 4 }]);
    for (const args of [
      [long, '0', '--cpu', '1'],
      [long, '0x1ffffffffffffffff'],
      [long, 'here'],
    ]) {
      expect((await runHere('walk', ...args)).exitCode).toBe(2);
    }
  });
});

describe('savkit pagetable', () => {
  it('lists the tables down to a depth', async () => {
    const { result } = await savkitFile<{ entries: { level: string }[] }>('pagetable', long, '--depth', '2');
    expect(result.entries.map(({ level }) => level)).toEqual(['PML4', 'PDPT', 'PML4', 'PDPT']);
  });

  it('gives the runs of the truth file', async () => {
    const { result } = await savkitFile<{
      runs: { virtual: string; physical: string; size: number; pageSize: number; rights: string }[];
    }>('pagetable', pae, '--runs');
    const { translation } = JSON.parse(readFileSync(join(STATES_FOLDER, 'own-pae.json'), 'utf8'));
    const rows = result.runs.map(({ virtual, physical, size, pageSize, rights }) => [
      virtual,
      physical,
      `0x${size.toString(16)}`,
      `0x${pageSize.toString(16)}`,
      rights,
    ]);
    expect(rows).toEqual(translation[0].list);
  });

  it('stops at a limit, with 3', async () => {
    const { exitCode, result } = await savkitFile<{ complete: boolean; entries: object[] }>(
      'pagetable',
      long,
      '--limit',
      '7',
    );
    expect([exitCode, result.complete, result.entries.length]).toEqual([3, false, 7]);
    expect((await runHere('pagetable', long, '--depth', '0')).exitCode).toBe(2);
  });
});

describe('savkit peek --virt', () => {
  it('reads through the page tables', async () => {
    const { result } = await savkitFile<{ at: string; hex: string }>(
      'peek',
      long,
      '--virt',
      '--at',
      '0xffffffff80011008',
      '--len',
      '24',
    );
    expect(result).toMatchObject({
      at: '0xffffffff80011008',
      hex: Buffer.from('SAVKIT OWN-ROM LONG     ').toString('hex'),
    });
    const { stdout } = await runHere('peek', long, '--virt', '--at', '0xffffffff80011008', '--len', '16');
    expect(stdout).toContain('ffffffff80011008  53 41 56 4b');
  });

  it('says where nothing is mapped', async () => {
    const { exitCode, stderr } = await runHere('peek', long, '--virt', '--at', '0x400000');
    expect([exitCode, stderr]).toEqual([
      2,
      'Cannot reach virtual address 0x400000: not-present, expected a mapped page\n',
    ]);
  });
});
