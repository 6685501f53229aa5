import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { writeFileSink } from '../../formats/files/sink.ts';
import { openFile } from '../../formats/files/source.ts';
import { loadState } from '../machine/load.ts';
import { saveState } from '../machine/save.ts';
import { RunningMachine } from '../running/running-machine.ts';
import type { WorkloadKind } from '../running/schedule.ts';
import { extract } from '../saved-state/extract/extract.ts';
import { verify } from '../saved-state/verify/verify.ts';
import { withPgm } from '../testing/convert-file.ts';
import { Score, statesWithMachines, VirtualBox } from '../testing/virtualbox.ts';
import { liveSave } from './live-save.ts';

// npm run campaign -- virtualbox-live-save: runs machines of real states with workloads, saves them live, and hands the
// live states to the real VirtualBox. VirtualBox's memory is then compared with an ELF core of the machine as it stood
// at the end of the save. The states are those of statesWithMachines().

/**
 * All workloads except alloc and idle: this VirtualBox, without its kernel module, refuses the ballooned pages of
 * alloc, and idle writes nothing.
 */
const WORKLOADS: readonly WorkloadKind[] = ['counter', 'hot', 'random', 'scan', 'device'];
/**
 * Older versions of the unit pgm whose live passes VirtualBox 7.2 loads; VirtualBox refuses live passes of version
 * 10 (pgm-unit.md 7.2).
 */
const OLDER_VERSIONS = [11, 12, 13];

const virtualBox = await VirtualBox.find();
const score = new Score();
const folder = mkdtempSync(join(tmpdir(), 'savkit-live-save-'));
try {
  for (const { path, machine } of statesWithMachines()) {
    for (const kind of WORKLOADS) await tryLiveSave(path, machine, kind);
    for (const pgm of OLDER_VERSIONS) await tryLiveSave(await withPgm(path, pgm, folder), machine, 'random');
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
score.close();

async function tryLiveSave(path: string, machineName: string, kind: WorkloadKind): Promise<void> {
  const what = `${basename(path)} with ${kind}`;
  const source = await openFile(path);
  const machine = await loadState(source);
  await source.close();
  const running = RunningMachine.of(machine, { kind, rate: 4000, patternSize: 256 });
  running.runSteps(200);
  running.resume();
  const live = join(folder, 'live.sav');
  const passes = await writeFileSink(
    live,
    { force: true },
    async (sink) => (await liveSave(running, sink, { leaveSuspended: true })).passes.length,
  );
  if (!score.check(`${what}: self-check`, running.selfCheck().faults.length === 0)) return;
  if (!score.check(`${what}: verify, ${passes} passes`, (await checked(live)) === 'whole')) return;
  const truth = await coreOf(running);
  const core = join(folder, 'virtualbox.elf');
  rmSync(core, { force: true });
  const { ok, output } = await virtualBox.run('load-state.sh', [live, machineName, '--core', core]);
  if (!score.check(`${what}: VirtualBox loads it`, ok, output.split('\n')[0])) return;
  const compared = await virtualBox.run('corecmp.py', [truth, core, '--registers']);
  score.check(
    `${what}: VirtualBox has the memory and registers of the machine as it stood`,
    compared.ok,
    compared.output,
  );
}

/** An ELF core of a machine that stands. */
async function coreOf(running: RunningMachine): Promise<string> {
  const plain = join(folder, 'plain.sav');
  await writeFileSink(plain, { force: true }, (sink) => saveState(running.machine, sink));
  const core = join(folder, 'truth.elf');
  const source = await openFile(plain);
  await writeFileSink(core, { force: true }, (sink) => extract(source, sink, { format: 'vbox-core' }));
  await source.close();
  return core;
}

async function checked(path: string): Promise<string> {
  const source = await openFile(path);
  const { verdict } = await verify(source);
  await source.close();
  return verdict;
}
