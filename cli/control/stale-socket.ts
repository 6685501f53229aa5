import { access, constants, lstat, unlink } from 'node:fs/promises';
import { connect } from 'node:net';
import { dirname, resolve } from 'node:path';
import { EnvironmentError } from '../../formats/errors.ts';
import { HAS_PIPES, socketAddress } from './socket-path.ts';

/** A process that does not even let a connection wait in this time hangs: the socket is its, all the same. */
const ANSWER_MS = 2000;

/**
 * Whether a control socket could be opened there: asked before anything that takes its time. @throws UsageError,
 * EnvironmentError
 */
export async function checkSocketPath(path: string): Promise<void> {
  socketAddress(path);
  if (HAS_PIPES) return;
  await staleSocket(path);
  try {
    await access(dirname(resolve(path)), constants.W_OK | constants.X_OK);
  } catch (error) {
    throw EnvironmentError.from(error, `open control socket ${path}`);
  }
}

/**
 * Removes what a machine that was killed has left behind. @throws EnvironmentError `EEXIST` for a file, `EADDRINUSE`
 * where another process has it
 */
export async function removeStale(path: string): Promise<void> {
  if (await staleSocket(path)) await unlink(path).catch(() => {});
}

/** @returns whether there is one that nobody listens on */
async function staleSocket(path: string): Promise<boolean> {
  const found = await lstat(path).catch(() => undefined);
  if (!found) return false;
  if (!found.isSocket())
    throw new EnvironmentError('EEXIST', `Cannot open control socket ${path}: there is a file of that name`);
  if (await isTaken(path))
    throw new EnvironmentError('EADDRINUSE', `Cannot open control socket ${path}: another process has it`);
  return true;
}

/**
 * Only where the system says that nobody listens nobody does: one that hangs, or is not ours, must not lose its socket.
 */
function isTaken(path: string): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect(socketAddress(path));
    const end = (isSo: boolean) => {
      clearTimeout(timer);
      socket.destroy();
      done(isSo);
    };
    const timer = setTimeout(end, ANSWER_MS, true);
    socket
      .once('connect', () => end(true))
      .on('error', ({ code }: NodeJS.ErrnoException) => end(code !== 'ECONNREFUSED' && code !== 'ENOENT'));
  });
}
