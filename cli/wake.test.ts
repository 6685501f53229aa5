import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { STATES_FOLDER } from '../src/testing/states.ts';
import { folderOf, ICH9_STATE } from '../src/wake/testing/woken.ts';
import { runHere } from './testing/run-here.ts';
import { expectSchema } from './testing/savkit-json.ts';

const folder = mkdtempSync(join(tmpdir(), 'savkit-wake-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const state = join(STATES_FOLDER, 'own-long.sav');
const output = join(folder, 'machine.qemu');
const disk = join(folder, 'disk.raw');
writeFileSync(disk, 'a disk');

/** The document that a command prints with --json, which the schema describes. */
async function json(exitCode: number, ...words: string[]) {
  const printed = await runHere(...words, '--json');
  const document = JSON.parse(printed.stdout || printed.stderr);
  expectSchema(document);
  expect([words.join(' '), printed.exitCode]).toEqual([words.join(' '), exitCode]);
  return document;
}

describe('wake', () => {
  it('tells every reason with a remedy, and writes nothing', async () => {
    const words = ['wake', state, '--disk', `ide0:0=${disk}`, '--disk', `ide1:1=${disk}`, '-o', output];
    const { files } = await json(5, ...words);
    expect(files[0].result.refusals).toMatchObject([{ code: 'no-such-drive' }, { code: 'no-such-drive' }]);
    const { stdout } = await runHere(...words);
    expect(stdout).toContain('it has no disk or drive at ide1:1: leave --disk ide1:1=… away');
    expect(existsSync(output)).toBe(false);
  });

  it('says so where there is no such QEMU, no such disk, and for words that make no sense', async () => {
    const { files } = await json(4, 'wake', state, '-o', output, '--qemu', join(folder, 'no-qemu'));
    expect(files[0].error).toMatchObject({ code: 'ENOENT' });
    await json(4, 'wake', state, '-o', output, '--disk', `ide0:0=${join(folder, 'none')}`);
    await json(2, 'wake', state);
    await json(2, 'wake', state, '-o', output, '--run');
    await json(2, 'wake', state, '-o', output, '--disk', 'disk.raw');
    await json(2, 'wake', '--back', state, '-o', output);
    expect(existsSync(output)).toBe(false);
  });
});

describe('inspect --wake', () => {
  it('tells of a machine with ICH9', async () => {
    const { files } = await json(0, 'inspect', '--wake', join(folderOf(ICH9_STATE), `${ICH9_STATE}.sav`));
    expect(files[0].result.commandLine.join(' ')).toContain('-machine q35,hpet=off');
    expect(files[0].result.notices.map(({ code }: { code: string }) => code)).toContain('no-hpet');
  });

  it('foresees command line and losses', async () => {
    const { files } = await json(0, 'inspect', '--wake', state);
    expect(files[0].result.commandLine).toEqual(expect.arrayContaining(['-m', '4096k']));
    expect(files[0].result.notices.map(({ kind }: { kind: string }) => kind)).toContain('lost');
    const { stdout } = await runHere('inspect', '--wake', state);
    expect(stdout).toContain('can be woken');
    expect(stdout.trim().split('\n').length).toBeLessThan(12);
  });
});
