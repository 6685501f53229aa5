import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, isAbsolute, join } from 'node:path';
import { whenAborted } from '../../formats/aborting.ts';
import { tellUndisturbed } from '../../migrations/wire/tell-undisturbed.ts';
import { TRANSITIONS } from '../../src/machine/machine-states.ts';
import { custody } from '../process/custody.ts';
import { type ControlServer, openControlSocket } from './control-server.ts';
import { type KeepFile, keepFile } from './keep-file.ts';
import type { KeptMachine } from './kept-machine.ts';
import { RunningCharge } from './running-charge.ts';
import { isSocketPath } from './socket-path.ts';
import { defaultSocketName, removeSocketsOfDead } from './stale-socket.ts';

/**
 * Default path of a machine's control socket: in a folder that only the user can read, if the system has one.
 * @param number of the machine, in a process with several
 */
export function defaultSocketPath(number?: number): string {
  const paths = defaultSocketFolders().map((folder) => join(folder, defaultSocketName(process.pid, number)));
  return paths.find(isSocketPath) ?? paths[0];
}

/** Folders for sockets with a default path, the preferred one first. */
export function defaultSocketFolders(): string[] {
  const own = process.env.XDG_RUNTIME_DIR ?? '';
  return [...(isAbsolute(own) && existsSync(own) ? [own] : []), tmpdir(), '/tmp'];
}

export interface KeepOptions {
  /** Path of the control socket. */
  socket: string;
  /** File to which the machine is saved when this process is told to end. */
  file?: KeepFile;
  /** Stops the machine. */
  signal: AbortSignal;
  onReady?: () => void;
  /** Called if the socket can't be opened; the machine then runs without a socket. */
  onNoSocket?: (error: Error) => void;
}

/**
 * Keeps a machine in custody, with a control socket, until it is off or handed over, or `signal` stops it.
 * @returns the error that ended the guest, if there was one
 * @throws EnvironmentError if the socket can't be opened, unless `onNoSocket` is given
 */
export async function keepRunning(
  kept: KeptMachine,
  { socket, file = keepFile(kept.name, { force: false }), signal, onReady, onNoSocket }: KeepOptions,
): Promise<unknown> {
  const { running } = kept;
  kept.stopAsking = signal;
  let server: ControlServer | undefined;
  const charge = new RunningCharge(kept, {
    file,
    socket: () => server && socket,
    cancelOperations: () => server?.cancelAll(),
  });
  const release = custody.take(charge);
  const stop = () => {
    // During a save or a hand-over the machine cannot be switched off, and need not be.
    if (TRANSITIONS[running.state]['power-off'] && !running.isHeld) running.stop();
    else running.release();
  };
  const forget = whenAborted(signal, stop);
  try {
    await removeSocketsOfDead(dirname(socket));
    server = await openControlSocket(socket, kept).catch((error) => {
      if (!onNoSocket) throw error;
      onNoSocket(error);
      return undefined;
    });
    if (server) tellUndisturbed(onReady, undefined);
    if (signal.aborted) stop();
    return await running.ended;
  } finally {
    release();
    forget();
    await server?.close();
  }
}
