import { access, constants, lstat, readdir, unlink } from 'node:fs/promises';
import { connect } from 'node:net';
import { dirname, join, resolve } from 'node:path';
import { EnvironmentError } from '../../formats/errors.ts';
import { world } from '../../formats/world/world.ts';
import { HAS_PIPES, isSocketPath, socketAddress } from './socket-path.ts';

/** A process that accepts no connection within this time hangs, but still owns the socket. */
const ANSWER_MS = 2000;

/** Checks, before long work, that a control socket could be opened at a path. @throws UsageError, EnvironmentError */
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
 * Removes the socket of a killed machine. @throws EnvironmentError `EEXIST` for a file, `EADDRINUSE` if a process has
 * the socket
 */
export async function removeStale(path: string): Promise<void> {
  if (await staleSocket(path)) await unlink(path).catch(() => {});
}

const DEFAULT_NAME = /^savkit-(\d+)(?:-\d+)?\.sock$/;

/** Default name of a process's socket, with a number if the process has several machines. */
export function defaultSocketName(pid: number, number?: number): string {
  return number === undefined ? `savkit-${pid}.sock` : `savkit-${pid}-${number}.sock`;
}

/** Removes sockets with default names that killed processes of this user have left in a folder. */
export async function removeSocketsOfDead(folder: string): Promise<void> {
  if (HAS_PIPES) return;
  const names = await readdir(folder).catch(() => []);
  for (const name of names) {
    const pid = Number(DEFAULT_NAME.exec(name)?.[1] ?? process.pid);
    const path = join(folder, name);
    if (world.process.isRunning(pid) || !(await isOwnSocket(path))) continue;
    // The process may live in another container, with other process numbers; `removeStale` finds that out.
    if (isSocketPath(path)) await removeStale(path).catch(() => {});
  }
}

async function isOwnSocket(path: string): Promise<boolean> {
  const found = await lstat(path).catch(() => undefined);
  return (found?.isSocket() ?? false) && found?.uid === process.getuid?.();
}

/** @returns whether there is a socket on which nobody listens */
async function staleSocket(path: string): Promise<boolean> {
  const found = await lstat(path).catch(() => undefined);
  if (!found) return false;
  if (!found.isSocket())
    throw new EnvironmentError(
      'EEXIST',
      `Cannot open control socket ${path}: there is a file of that name; choose another path`,
    );
  if (await isTaken(path))
    throw new EnvironmentError('EADDRINUSE', `Cannot open control socket ${path}: another process has it`);
  return true;
}

/**
 * Whether anybody may be listening. Only the system's refusal proves the opposite: a process that hangs, or is another
 * user's, must not lose its socket.
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
