import { runProgram } from '../../../src/testing/virtualbox.ts';
import type { RealMachine } from '../../testing/real-machine.ts';
import { SavkitProcess } from '../../testing/savkit-process.ts';
import { type MachineTwins, OFF, WAITING_PORT } from './machine-twins.ts';

/** Relays a state's machine from one twin to the other and back. @returns the recording of the first relay */
export async function relayTwins(twins: MachineTwins, state: string): Promise<string> {
  const { a, b } = twins;
  // The state runs in a; from there it goes through one relay to b, and through two back to a.
  await a.awaitMachine(WAITING_PORT);
  await new SavkitProcess('send', state, '--teleporter', '--to', `127.0.0.1:${WAITING_PORT}`).ended;
  twins.check('the machine runs again', await a.counts());
  const record = twins.path('record.sav');
  await b.awaitMachine(WAITING_PORT);
  const single = relay(WAITING_PORT, '--record', record);
  await carry(twins, 'a relay', [a, b], await single.port(), [single]);
  await twins.checkFile(record, 'the recording');
  await a.awaitMachine(WAITING_PORT);
  const key = twins.path('relay.key');
  await runProgram('openssl', ['rand', '-base64', '-out', key, '32']);
  const near = relay(WAITING_PORT, '--encrypt', 'in', '--key-file', key);
  const far = relay(await near.port(), '--encrypt', 'out', '--key-file', key);
  await carry(twins, 'an encrypted pair of relays', [b, a], await far.port(), [near, far]);
  return record;
}

/** Starts a relay to a port of this host. */
function relay(port: number, ...options: string[]): SavkitProcess {
  return new SavkitProcess('relay', '--listen', '127.0.0.1:0', '--to', `127.0.0.1:${port}`, ...options);
}

/** Teleports the machine through relays, once with a wrong password. @param port of the first relay */
async function carry(
  twins: MachineTwins,
  what: string,
  [from, to]: readonly [RealMachine, RealMachine],
  port: number,
  relays: readonly SavkitProcess[],
): Promise<void> {
  const before = (await from.counter()) ?? 0;
  const wrong = await from.teleport(port, 'wrong');
  twins.check(
    `through ${what}, a wrong password is refused, and the source runs on`,
    wrong.output.includes('Invalid password') && (await from.counts()),
  );
  // Not its exit code: VirtualBox sometimes reports its own end as a failure when everything went well.
  const { output } = await from.teleport(port);
  const ends = await Promise.all(relays.map(({ ended }) => ended));
  const carried = ends.every(({ exitCode, result }) => exitCode === 0 && result.end === 'handed-over');
  const told = ends.map(({ exitCode, error, result }) => ({ exitCode, error, end: result.end }));
  const words = `${output} ${JSON.stringify(told)}`;
  twins.check(`teleport through ${what}`, carried, words);
  twins.check(
    `through ${what}, the guest counts on`,
    (await to.becomes('running')) && (await to.counts(before)),
    words,
  );
  twins.check(`through ${what}, the source is off`, await from.becomes(...OFF));
}
