import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { EnvironmentError, SavkitError } from '../../formats/errors.ts';
import { learnGuestFacts } from '../../migrations/guests/guest-facts.ts';
import { isOfLibvirt, LIBVIRT_SCHEME, reachGuest } from '../../migrations/guests/reach-guest.ts';
import { runningDomains } from '../../migrations/guests/virsh-bridge.ts';
import { askMachine } from '../control/control-client.ts';
import type { MachineStatus } from '../control/replies.ts';
import { addressOfGuest, GUEST_SCHEME, isGuest } from '../guests/migrate-guest.ts';
import { sideBySide } from '../process/side-by-side.ts';

/** A machine of this host. */
export interface FoundMachine {
  /** As `migrate` takes it: the path of a control socket, `qmp:PATH`, or `libvirt:DOMAIN`. */
  machine: string;
  /** Name that the machine gives itself. */
  name: string;
  /** Bytes of its memory. */
  bytes: number;
  /** False for a machine that is paused, or in another state. */
  runs: boolean;
}

/** A machine's answer about itself. */
export interface Look {
  found: FoundMachine;
  /** State of the machine, in savkit's words or in QEMU's. */
  state: string;
  /** More about a machine of savkit. */
  status: MachineStatus | undefined;
}

/** Machines that are asked at a time, so that one without an answer does not hold up the others. */
const MOST_ASKED = 16;
const SOCKET_NAME = /\.(sock|socket|qmp)$/;

/**
 * The machines that a command line names: sockets, folders of sockets, guests of libvirt, or `libvirt:` for all that
 * run.
 * @param onBad called for a machine that does not answer; a machine that ended may have left its socket in a folder
 * @throws EnvironmentError for a folder that can't be listed, and for a libvirt that does not answer
 */
export async function findMachines(
  words: readonly string[],
  signal: AbortSignal,
  onBad: (machine: string, error: SavkitError, isNamed: boolean) => void,
): Promise<FoundMachine[]> {
  return (await lookRound(words, signal, onBad)).map(({ found }) => found);
}

/** The machines that a command line names, with the answer of each about itself. */
export async function lookRound(
  words: readonly string[],
  signal: AbortSignal,
  onBad: (machine: string, error: SavkitError, isNamed: boolean) => void,
): Promise<Look[]> {
  const machines: { machine: string; isNamed: boolean }[] = [];
  for (const word of words) {
    const group = await machinesOfGroup(word, signal);
    machines.push(...(group ?? [word]).map((machine) => ({ machine, isNamed: group === undefined })));
  }
  const answers = await sideBySide(machines, MOST_ASKED, ({ machine }) =>
    lookClosely(machine, signal).catch((error: SavkitError) => {
      if (signal.aborted) throw error;
      return { error };
    }),
  );
  return answers.flatMap((answer, i) => {
    if (!('error' in answer)) return answer;
    onBad(machines[i].machine, answer.error, machines[i].isNamed);
    return [];
  });
}

/** The machines of a folder, or of all of libvirt; undefined for a word that names one machine. */
async function machinesOfGroup(word: string, signal: AbortSignal): Promise<string[] | undefined> {
  if (word === LIBVIRT_SCHEME) return (await runningDomains({ signal })).map((uuid) => `${LIBVIRT_SCHEME}${uuid}`);
  const isFolder = !isGuest(word) && (await stat(word).catch(() => undefined))?.isDirectory() === true;
  return isFolder ? socketsIn(word) : undefined;
}

async function socketsIn(folder: string): Promise<string[]> {
  try {
    const entries = await readdir(folder, { withFileTypes: true });
    const sockets = entries.filter((entry) => entry.isSocket() && SOCKET_NAME.test(entry.name));
    return sockets.map(({ name }) => join(folder, name)).sort();
  } catch (error) {
    throw EnvironmentError.from(error, `list the sockets in ${folder}`);
  }
}

/** The machine at a socket: of a process of savkit, or of a QEMU. @throws SavkitError if neither answers */
export async function lookAt(machine: string, signal: AbortSignal): Promise<FoundMachine> {
  return (await lookClosely(machine, signal)).found;
}

async function lookClosely(machine: string, signal: AbortSignal): Promise<Look> {
  if (isGuest(machine)) return lookAtGuest(addressOfGuest(machine), signal);
  try {
    const status = await askMachine(machine, { command: 'status' }, () => {}, signal);
    const { name, ramSize, state } = status;
    return { found: { machine, name, bytes: ramSize, runs: state === 'running' }, state, status };
  } catch (error) {
    // The greeting that QEMU sends by itself is no reply of a machine of savkit.
    if (!(error instanceof SavkitError) || error.code !== 'bad-reply') throw error;
    return lookAtGuest(machine, signal);
  }
}

async function lookAtGuest(address: string, signal: AbortSignal): Promise<Look> {
  const { qmp, process, close } = await reachGuest(address, { signal });
  try {
    const { name, backends, status: state } = await learnGuestFacts(qmp, process, { signal });
    const bytes = backends.reduce((sum, backend) => sum + backend.bytes, 0);
    const machine = isOfLibvirt(address) ? address : `${GUEST_SCHEME}${address}`;
    const found = { machine, name, bytes, runs: state === 'running' };
    return { found, state, status: undefined };
  } finally {
    close();
  }
}
