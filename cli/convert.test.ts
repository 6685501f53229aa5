import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { STATES_FOLDER } from '../src/testing/states.ts';
import { runHere } from './testing/run-here.ts';
import { savkitFile } from './testing/savkit-json.ts';

const live = join(STATES_FOLDER, 'own-long-live.sav');
const plain = join(STATES_FOLDER, 'own-pae.sav');

let folder: string;
let output: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'savkit-convert-'));
  output = join(folder, 'new.sav');
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

describe('savkit convert', () => {
  it('writes another container and version, and proves it', async () => {
    const converted = await savkitFile('convert', live, output, '--flatten', '--container', '1.2', '--pgm', '13');
    expect(converted).toMatchObject({ exitCode: 0, result: { proof: { equal: true } } });
    expect((await runHere('diff', live, output)).exitCode).toBe(0);
  });

  it('names what the target cannot hold, with 5, and writes nothing', async () => {
    const { stderr, exitCode } = await runHere('convert', plain, output, '--pgm', '11');
    expect(exitCode).toBe(5);
    expect(stderr).toContain('PAE page directories');
    expect(readdirSync(folder)).toEqual([]);
    expect((await runHere('convert', plain, output, '--pgm', '11', '--allow-loss')).exitCode).toBe(0);
  });

  it('takes the places of device memory from a layout, and prints the layout of a state', async () => {
    const args = ['convert', plain, output, '--pgm', '9', '--allow-loss'];
    const refused = await runHere(...args);
    expect(refused.exitCode).toBe(5);
    expect(refused.stderr).toContain('address of the MMIO2 range "VMMDev Heap"');
    const { stdout } = await runHere('convert', plain, '--print-layout');
    const layout = JSON.parse(stdout) as { mmio2: { address: string }[] };
    expect(layout.mmio2.map(({ address }) => address)).toEqual(['?', '?']);
    for (const [i, range] of layout.mmio2.entries()) range.address = `0xe${i}000000`;
    const layoutFile = join(folder, 'layout.json');
    writeFileSync(layoutFile, JSON.stringify(layout));
    expect((await runHere(...args, '--layout', layoutFile)).exitCode).toBe(0);
    expect((await runHere('convert', output, join(folder, 'back.sav'), '--pgm', '14', '--like', output)).exitCode).toBe(
      0,
    );
  });

  it('only says what it would do with --dry-run', async () => {
    expect((await runHere('convert', plain, output, '--container', '1.2', '--dry-run')).exitCode).toBe(0);
    expect(existsSync(output)).toBe(false);
  });

  it('leaves an old output as it was when the source turns out damaged half-way', async () => {
    const bytes = readFileSync(plain);
    bytes[100_000] ^= 4;
    const damaged = join(folder, 'damaged.sav');
    writeFileSync(damaged, bytes);
    writeFileSync(output, 'old');
    for (const more of [[], ['--recompress'], ['--container', '1.1', '--allow-loss']]) {
      const { exitCode, stderr } = await runHere('convert', damaged, output, '--force', ...more);
      expect(exitCode).toBe(1);
      expect(stderr).toContain('VERR_SSM_INTEGRITY');
    }
    expect(readFileSync(output, 'utf8')).toBe('old');
    expect(readdirSync(folder).sort()).toEqual(['damaged.sav', 'new.sav']);
  });

  it('never writes over a file without --force', async () => {
    writeFileSync(output, 'old');
    expect((await runHere('convert', plain, output)).exitCode).toBe(4);
    expect(readFileSync(output, 'utf8')).toBe('old');
  });
});
