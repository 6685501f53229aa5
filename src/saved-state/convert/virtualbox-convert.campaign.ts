import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { UnsupportedError } from '../../../formats/errors.ts';
import { openFile } from '../../../formats/files/source.ts';
import { convertFile } from '../../testing/convert-file.ts';
import { Score, statesWithMachines, VirtualBox } from '../../testing/virtualbox.ts';
import type { ConvertRun } from './convert.ts';

// npm run campaign -- virtualbox-convert: hands converted states to the real VirtualBox and compares the memory that it
// then has. With the states of statesWithMachines().

const virtualBox = await VirtualBox.find();
const score = new Score();

const folder = mkdtempSync(join(tmpdir(), 'savkit-virtualbox-'));
try {
  for (const { path, machine } of statesWithMachines()) await tryState(path, machine);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
score.close();

async function tryState(path: string, machine: string): Promise<void> {
  const truth = await load(path, machine, 'original');
  if (!truth) return;
  const live = path.includes('live');
  const runs: ConvertRun[] = live ? [{}, { recompress: true }, { pgm: 11 }, { pgm: 12 }] : [{ recompress: true }];
  for (const container of ['2.0', '1.2', '1.1'] as const) {
    for (const pgm of [10, 11, 12, 13, 14]) runs.push({ container, pgm, flatten: live });
  }
  for (const pgm of [7, 8, 9]) runs.push({ container: '2.0', pgm, flatten: live, pageTypes: '4.3' });
  for (const run of runs) await tryConversion(path, machine, run, truth);
}

async function tryConversion(path: string, machine: string, run: ConvertRun, truth: string): Promise<void> {
  const source = await openFile(path);
  try {
    const output = join(folder, `${basename(path)}.converted`);
    const { proof } = await convertFile(source, output, { ...run, allowLoss: true });
    const core = proof?.equal ? await load(output, machine, JSON.stringify(run)) : undefined;
    if (core) await compare(truth, core, `${basename(path)} ${JSON.stringify(run)}`);
    else if (!proof?.equal)
      score.check(
        `${basename(path)} ${JSON.stringify(run)}`,
        false,
        `the proof failed: ${JSON.stringify(proof?.differences.slice(0, 3))}`,
      );
  } catch (error) {
    // A state whose MMIO2 ranges are not mapped does not go into versions 6 to 9 without a layout; its refusal is
    // right.
    if (!(error instanceof UnsupportedError)) throw error;
    console.log(`refused: ${basename(path)} ${JSON.stringify(run)}: ${error.message}`);
  } finally {
    await source.close();
  }
}

/** Loads a state; gives a dump of the memory that VirtualBox then has. */
async function load(state: string, machine: string, what: string): Promise<string | undefined> {
  const core = join(folder, what === 'original' ? 'original.elf' : 'converted.elf');
  rmSync(core, { force: true });
  const { ok, output } = await virtualBox.run('load-state.sh', [state, machine, '--core', core]);
  if (ok) return core;
  score.check(`${basename(state)} ${what}`, false, `VirtualBox does not load it: ${output.split('\n')[0]}`);
  return undefined;
}

async function compare(truth: string, core: string, what: string): Promise<void> {
  const { ok, output } = await virtualBox.run('corecmp.py', [truth, core, '--registers']);
  score.check(what, ok, output);
}
