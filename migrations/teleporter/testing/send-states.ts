import { rmSync } from 'node:fs';
import { SavkitProcess } from '../../testing/savkit-process.ts';
import { type MachineTwins, WAITING_PORT } from './machine-twins.ts';

/**
 * Sends a live state to a waiting twin, as it is and in other forms.
 * @param truth dump of the machine that VirtualBox makes of the state
 */
export async function sendStates(twins: MachineTwins, state: string, truth: string): Promise<void> {
  const old = twins.path('old.sav');
  const output = await twins.savkit('convert', state, old, '--flatten', '--container', '1.2', '--pgm', '13');
  twins.check('convert the state to V1.2', output.includes('proved equal'), output);
  const plain = twins.path('plain.sav');
  await twins.savkit('convert', state, plain, '--flatten');
  const send = (what: string, path: string, ...options: string[]) => sendState(twins, truth, what, path, options);
  await send('a live state', state);
  await send('a plain state', plain);
  await send('a state flattened on the way', state, '--flatten');
  await send('a state of container V1.2, pgm 13', old);
  await send('a live state as pgm 12', state, '--pgm', '12');
  await send('a live state, paused', state, '--paused');
  await send('a V1.2 state, paused', old, '--paused');
  for (const path of [old, plain]) rmSync(path);
}

/** Sends a state to a waiting twin, where it must run, or be the machine that VirtualBox makes of the file. */
async function sendState(
  twins: MachineTwins,
  truth: string,
  what: string,
  path: string,
  options: readonly string[],
): Promise<void> {
  await twins.b.awaitMachine(WAITING_PORT);
  const to = ['--to', `127.0.0.1:${WAITING_PORT}`];
  const { exitCode, error, stderr } = await new SavkitProcess('send', path, '--teleporter', ...to, ...options).ended;
  const paused = options.includes('--paused');
  const arrived = exitCode === 0 && (await twins.b.becomes(paused ? 'paused' : 'running'));
  if (twins.check(`send ${what}`, arrived, error + stderr)) {
    if (paused) await compareSent(twins, truth, what);
    else twins.check(`${what}: the guest runs there`, await twins.b.counts());
  }
  await twins.b.stop();
}

async function compareSent(twins: MachineTwins, truth: string, what: string): Promise<void> {
  const dump = twins.path('sent.elf');
  await twins.b.dump(dump);
  await twins.compareCores(dump, truth, `${what}: memory and registers are those of the file`);
}
