import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { runSavkit } from '../run-savkit.ts';
import type { Ground } from './ground.ts';
import type { Call, Deed } from './shim.ts';
import { deedsAt, type Place, spread } from './trials.ts';

/** A live save: the fault falls on the machine's process, not on the command that asks for the save. */
const FORM = { name: 'live-save', words: 'live-save' };
/** Milliseconds in which a machine has its socket, on a busy host. */
const PATIENCE = 60_000;

interface Save {
  exitCode: number | null;
  said: string;
  calls: Call[];
  isKilled: boolean;
  /** The machine's state afterwards; undefined where it is gone. */
  state: string | undefined;
}

/** Has a machine saved live, whose process meets the faults. */
export async function tryLiveSaves(place: Place): Promise<void> {
  for (const isThere of [false, true]) {
    place.ground.fresh(FORM, isThere);
    const good = await saveLive(place, isThere);
    if (good.exitCode !== 0) throw new Error(`live-save ends with ${good.exitCode}: ${good.said}`);
    for (const at of spread(good.calls.length, place.mostCalls / 3, FORM))
      for (const deed of deedsAt(good.calls[at - 1].kind, at, place, isThere)) {
        if (!place.mayGoOn()) return;
        const older = place.ground.fresh(FORM, isThere);
        const save = await saveLive(place, isThere, at, deed);
        const found = await judgeSave(place.ground, older, deed, save);
        place.tried(`live-save${isThere ? ' --force' : ''}: ${deed} at call ${at} of ${good.calls.length}`, found);
      }
  }
}

/** Starts a machine, saves it while it runs, and asks what has become of it. */
async function saveLive({ shim, ground }: Place, force: boolean, at = 0, deed: Deed | '' = ''): Promise<Save> {
  const socket = join(ground.own, 'socket');
  // The machine of the trial before was killed, and has left its socket.
  rmSync(socket, { force: true });
  const machine = ['run', '--ram', '2M', '--workload', 'device', '--rate', '2000', '--socket', socket];
  const { child, calls } = shim.start(machine, 'changes', at, deed);
  child.stdout.resume();
  child.stderr.resume();
  const gone = new Promise((ended) => child.once('close', ended));
  try {
    const end = performance.now() + PATIENCE;
    while (!existsSync(socket) && performance.now() < end) await setTimeout(20);
    const output = join(ground.folder, 'out/file');
    const { exitCode, stdout, stderr } = await runSavkit(['live-save', socket, output, ...(force ? ['--force'] : [])]);
    // A process that was killed is gone a moment later.
    await Promise.race([gone, setTimeout(exitCode === 0 ? 0 : 200)]);
    const isKilled = child.signalCode !== null;
    const status = isKilled ? undefined : await runSavkit(['control', socket, 'status', '--json']);
    const state = status && /"state": ?"(\w+)"/.exec(String(status.stdout))?.[1];
    return { exitCode, said: `${stdout}${stderr}`, calls: calls(), isKilled, state };
  } finally {
    child.kill('SIGKILL');
    await gone;
  }
}

async function judgeSave(ground: Ground, older: Buffer | undefined, deed: Deed, save: Save): Promise<string[]> {
  const wrong: string[] = [];
  const there = ground.outputs().get('file');
  const isAsBefore = older ? there?.equals(older) === true : there === undefined;
  const { exitCode } = await runSavkit(['verify', '--quiet', join(ground.folder, 'out/file')]);
  const isWhole = !isAsBefore && exitCode === 0;
  if (!isAsBefore && !isWhole) wrong.push('the file is neither whole nor as before');
  if (save.exitCode === 0 && !isWhole) wrong.push('ends with 0, without its output');
  if (save.exitCode !== 0 && isWhole && !save.isKilled && deed !== 'EIO+')
    wrong.push(`ends with ${save.exitCode}, and stands`);
  if (save.exitCode !== 0 && save.exitCode !== 4) wrong.push(`ends with ${save.exitCode}: ${save.said}`);
  if (!save.isKilled && save.state !== 'running') wrong.push(`the machine is ${save.state}`);
  const mayStay = save.isKilled || deed.startsWith('EIO');
  for (const name of ground.leftovers()) if (!mayStay || !name.endsWith('.part')) wrong.push(`leaves ${name}`);
  return wrong;
}
