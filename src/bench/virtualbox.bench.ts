import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fillState } from './fill-state.ts';
import type { BenchContext, BenchRow } from './row.ts';
import { missingVirtualBox, runScript, VirtualBoxMachine } from './virtualbox-machine.ts';

// The real VirtualBox on the same state, where it is set up. Times of restoring and saving are those of its own log: no
// start of a process, no settings. The time of a teleport is that of its command, between two machines of this host;
// the machine is paused, and so sent once.

const RAM_MIB = 1024;
const NAME = 'savkit-bench';
const TARGET_NAME = 'savkit-bench-target';
const machine = new VirtualBoxMachine(NAME);
const target = new VirtualBoxMachine(TARGET_NAME);

/** Makes the machines and the state that they take, which then is the one that all rows read. */
async function prepare({ folder, ramMib, state }: BenchContext): Promise<void> {
  if (ramMib !== RAM_MIB) return;
  machine.create(RAM_MIB);
  target.create(RAM_MIB);
  const template = join(folder, 'virtualbox');
  if (existsSync(`${template}.sav`)) return;
  machine.runAndSave(3, template);
  rmSync(`${template}.core.elf`, { force: true });
  await fillState(`${template}.sav`, state);
}

async function restore({ state }: BenchContext): Promise<number> {
  const gone = await machine.startFrom(state);
  await machine.powerOff();
  await gone();
  return machine.between("to 'LOADING'", "from 'LOADING'");
}

async function save({ state }: BenchContext): Promise<number> {
  const gone = await machine.startFrom(state);
  await machine.control('savestate');
  await gone();
  return machine.between("to 'SAVING'", "from 'SAVING'");
}

async function teleport({ state }: BenchContext): Promise<number> {
  const gone = await machine.startFrom(state);
  await target.powerOff();
  const answer = runScript('tele.sh', NAME, TARGET_NAME);
  const [, seconds] = /done in ([\d.]+) s/.exec(answer) ?? [];
  await gone();
  await target.powerOff();
  if (seconds === undefined) throw new Error(`VirtualBox does not teleport the machine: ${answer.trim()}`);
  return Number(seconds) * 1000;
}

export const rows: BenchRow[] = [
  { name: 'VirtualBox restores', prepare, replacesState: true, missing: missingVirtualBox, run: restore },
  { name: 'VirtualBox saves', prepare, replacesState: true, missing: missingVirtualBox, run: save },
  { name: 'VirtualBox teleports', prepare, replacesState: true, missing: missingVirtualBox, run: teleport },
];
