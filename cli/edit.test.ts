import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { STATES_FOLDER } from '../src/testing/states.ts';
import { runHere } from './testing/run-here.ts';
import { runSavkit } from './testing/run-savkit.ts';
import { savkitFile } from './testing/savkit-json.ts';

const plain = join(STATES_FOLDER, 'own-pae.sav');

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'savkit-edit-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

async function resultOf(...args: string[]): Promise<Record<string, unknown>> {
  return (await savkitFile(...args)).result;
}

describe('savkit peek', () => {
  it('shows bytes, as a dump, raw and in JSON', async () => {
    const { stdout } = await runHere('peek', plain, '--at', '0x1008', '--len', '11');
    expect(stdout).toContain('0000001008  53 41 56 4b 49 54 20 4f 57 4e 2d');
    expect((await runHere('peek', plain, '--at', '0x1008', '--len', '11', '--raw')).stdout).toBe('SAVKIT OWN-');
    expect(await resultOf('peek', plain, '--at', '0x1008', '--len', '2')).toEqual({
      at: '0x1008',
      length: 2,
      hex: '5341',
      unassigned: [],
    });
  });

  it('says where there is no memory, and fails where there is none at all', async () => {
    expect(await resultOf('peek', plain, '--at', '0x9fffe', '--len', '4')).toMatchObject({
      hex: '0000ffff',
      unassigned: [{ start: '0xa0000', end: '0xa0002' }],
    });
    const { exitCode, stderr } = await runHere('peek', plain, '--at', '0xa0000');
    expect([exitCode, stderr]).toEqual([
      2,
      'Cannot read 0xa0000: there is no memory (VERR_PGM_INVALID_GC_PHYSICAL_ADDRESS)\n',
    ]);
  });
});

describe('savkit poke', () => {
  it('writes bytes, proves that nothing else has changed, and lets only the owner read the new state', async () => {
    const output = join(folder, 'new.sav');
    const result = await resultOf('poke', plain, '--at', '0x1fffe', '--hex', 'de ad be ef', '-o', output);
    expect(result).toMatchObject({ length: 4, proof: { holds: true, changedPages: 2, differences: [] } });
    expect(await resultOf('peek', output, '--at', '0x1fffd', '--len', '6')).toMatchObject({ hex: '00deadbeef00' });
    expect(statSync(output).mode & 0o777).toBe(0o600);
    expect((await runHere('verify', output)).exitCode).toBe(0);
  });

  it('takes the bytes of a file, and gives the state to a pipe', async () => {
    const file = join(folder, 'bytes');
    writeFileSync(
      file,
      Uint8Array.from({ length: 5000 }, (_, i) => i),
    );
    const { stdout, exitCode } = await runSavkit(['poke', '-', '--at', '1M', '--file', file, '-o', '-'], {
      stdin: readFileSync(plain),
    });
    expect(exitCode).toBe(0);
    const shown = await runSavkit(['peek', '-', '--at', '1M', '--len', '5000', '--raw'], { stdin: stdout });
    expect(Buffer.compare(shown.stdout, readFileSync(file))).toBe(0);
  });

  it('writes nothing where bytes would not stay, and says what is there', async () => {
    const output = join(folder, 'new.sav');
    for (const [at, reason] of [
      ['0xf0000', 'there is ROM (PC BIOS - 0xfffff) that takes no writes'],
      ['0xfee00000', 'there are device registers (APIC)'],
      ['0x3ffffff', 'there is no memory'],
    ]) {
      const { exitCode, stderr } = await runHere('poke', plain, '--at', at, '--hex', '00', '-o', output);
      expect([exitCode, stderr]).toEqual([2, `Cannot write to ${at}: ${reason}\n`]);
    }
    expect(() => statSync(output)).toThrow();
  });

  it('refuses what are no bytes, and two sources of bytes', async () => {
    for (const bytes of [
      ['--hex', 'abc'],
      ['--hex', '00', '--file', plain],
    ]) {
      const { exitCode } = await runHere('poke', plain, '--at', '0', ...bytes, '-o', join(folder, 'new.sav'));
      expect(exitCode).toBe(2);
    }
  });
});
