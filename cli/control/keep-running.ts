import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TRANSITIONS } from '../../src/live-save/machine-states.ts';
import { type ControlServer, openControlSocket } from './control-server.ts';
import type { KeptMachine } from './kept-machine.ts';

/** Where the socket of a machine is that names none: a folder that only the user can read, where the system has one. */
export function defaultSocketPath(): string {
  return join(process.env.XDG_RUNTIME_DIR ?? tmpdir(), `savkit-${process.pid}.sock`);
}

/**
 * Keeps a machine, with a control socket, until it is off or handed over, or `signal` stops it.
 * @returns what its guest failed of, if it did
 * @throws EnvironmentError where the socket can't be opened
 */
export async function keepRunning(kept: KeptMachine, options: { socket: string; signal: AbortSignal; onReady?: () => void }): Promise<unknown> {
  const { running } = kept;
  const { signal } = options;
  const server: ControlServer = await openControlSocket(options.socket, kept);
  const stop = () => {
    // In the midst of a save, or of a hand-over, nothing can be switched off, but nothing has to be kept either.
    if (TRANSITIONS[running.state]['power-off'] && !running.isHeld) running.stop();
    else running.release();
  };
  signal.addEventListener('abort', stop);
  try {
    options.onReady?.();
    if (signal.aborted) stop();
    return await running.ended;
  } finally {
    signal.removeEventListener('abort', stop);
    await server.close();
  }
}
