import { execFileSync, spawn } from 'node:child_process';
import { existsSync, openSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fillState } from './fill-state.ts';
import type { BenchContext, BenchRow } from './row.ts';

// The real VirtualBox on the same state, where it is set up: SAVKIT_VIRTUALBOX names a folder with mkvm.sh, start.sh, save.sh and vb, which runs a
// command of the installation. Times are those of VirtualBox's own log: no start of a process, no settings.

const scripts = process.env.SAVKIT_VIRTUALBOX ?? '';
const MACHINE = 'savkit-bench';
const RAM_MIB = 1024;
const LOG = `/vm/machines/${MACHINE}/Logs/VBox.log`;
const ADOPTED = `/vm/load/${MACHINE}.sav`;

function run(script: string, ...args: string[]): string {
  return execFileSync(join(scripts, script), args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
}

function vb(...args: string[]): string {
  return run('vb', ...args);
}

/** Makes the machine and the state that it takes, which then is the one that all rows read. */
async function prepare({ folder, ramMib, state }: BenchContext): Promise<void> {
  if (ramMib !== RAM_MIB) return;
  const template = join(folder, 'virtualbox');
  const filled = existsSync(`${template}.sav`);
  if (!vb('VBoxManage', 'list', 'vms').includes(`"${MACHINE}"`)) run('mkvm.sh', MACHINE, String(RAM_MIB), '1', 'piix3', 'long');
  if (filled) return;
  run('start.sh', MACHINE, '3');
  run('save.sh', MACHINE, template);
  rmSync(`${template}.core.elf`, { force: true });
  await fillState(`${template}.sav`, state);
}

/** Lets VirtualBox restore the state and save it again. */
async function restoreAndSave({ state }: BenchContext): Promise<{ restoreMs: number; saveMs: number }> {
  // A run that was broken off may have left it standing.
  if (['running', 'paused'].includes(stateOf() ?? '')) await attempt(() => vb('VBoxManage', 'controlvm', MACHINE, 'poweroff'));
  // Discarding a state deletes its file.
  await attempt(() => vb('VBoxManage', 'discardstate', MACHINE)).catch(() => {});
  execFileSync(join(scripts, 'vb'), ['sh', '-c', `cat > ${ADOPTED}`], { stdio: [openSync(state, 'r'), 'ignore', 'ignore'] });
  await attempt(() => vb('VBoxManage', 'adoptstate', MACHINE, ADOPTED));
  const gone = await startPaused();
  await attempt(() => vb('VBoxManage', 'controlvm', MACHINE, 'savestate'));
  await gone();
  const log = vb('cat', LOG);
  return { restoreMs: between(log, "to 'LOADING'", "from 'LOADING'"), saveMs: between(log, "to 'SAVING'", "from 'SAVING'") };
}

/** undefined while VirtualBox does not tell: its service may be starting. */
function stateOf(): string | undefined {
  try {
    return /VMState="(.*)"/.exec(vb('VBoxManage', 'showvminfo', MACHINE, '--machinereadable'))?.[1];
  } catch {
    return undefined;
  }
}

/** Starts the machine, again where it was still locked; gives a function that waits for its end. */
async function startPaused(): Promise<() => Promise<void>> {
  for (let left = 5; left > 0; left--) {
    let isGone = false;
    const machine = spawn(join(scripts, 'vb'), ['VBoxHeadless', '--startvm', MACHINE, '--start-paused'], { stdio: 'ignore' });
    const gone = new Promise<void>((resolve) => machine.once('exit', () => resolve()));
    void gone.then(() => {
      isGone = true;
    });
    while (!isGone) {
      if (stateOf() === 'paused') return () => gone;
      await setTimeout(100);
    }
    if (!stateOf()?.endsWith('saved')) break;
    await setTimeout(1000);
  }
  throw new Error(`VirtualBox does not restore the state; its log: ${LOG}`);
}

/** VirtualBox keeps a machine locked for a moment after each change. */
async function attempt(action: () => void): Promise<void> {
  for (let left = 8; ; left--) {
    try {
      return action();
    } catch (error) {
      if (left === 0) throw error;
      await setTimeout(500);
    }
  }
}

/** Milliseconds between the last lines with two changes of state. */
function between(log: string, from: string, to: string): number {
  const timeOf = (what: string) => {
    const line = log.split('\n').findLast((line) => line.includes('Changing the VM state') && line.includes(what));
    const [, hours, minutes, seconds] = /^(\d+):(\d+):([\d.]+)/.exec(line ?? '') ?? [];
    return (Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds)) * 1000;
  };
  return timeOf(to) - timeOf(from);
}

const missing = () => (existsSync(join(scripts, 'mkvm.sh')) && scripts !== '' ? undefined : 'SAVKIT_VIRTUALBOX names no folder with a VirtualBox');

export const rows: BenchRow[] = [
  { name: 'VirtualBox restores', prepare, missing, run: async (context) => (await restoreAndSave(context)).restoreMs },
  { name: 'VirtualBox saves', prepare, missing, run: async (context) => (await restoreAndSave(context)).saveMs },
];
