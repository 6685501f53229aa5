import { createHash } from 'node:crypto';
import { readdirSync, statSync } from 'node:fs';
import { basename, win32 } from 'node:path';
import { UsageError } from '../../formats/errors.ts';

/** Longest path of a socket, in bytes. Systems, and Node, cut longer ones off without an error. */
const LONGEST: Readonly<Partial<Record<NodeJS.Platform, number>>> = { linux: 107, android: 107 };
/** Of macOS and the BSDs, and so of any other Unix. */
const LONGEST_ELSEWHERE = 103;
const PIPES = '\\\\.\\pipe\\';
const LONGEST_PIPE_NAME = 256 - PIPES.length;

/**
 * What listens, or is connected to, for the path of a control socket: the path itself; on Windows, where named pipes
 * have a place of their own, a pipe of a name made of the full path.
 * @throws UsageError `bad-socket-path`
 */
export function socketAddress(path: string, platform: NodeJS.Platform = process.platform): string {
  if (path === '' || path.includes('\0')) throw badPath(path, 'that is no path');
  if (platform === 'win32') return pipeOf(path);
  const limit = LONGEST[platform] ?? LONGEST_ELSEWHERE;
  // Node takes a name like `8080` for the number of a TCP port.
  const address = Number(path) >= 0 ? `./${path}` : path;
  const size = Buffer.byteLength(address);
  if (size > limit)
    throw badPath(
      path,
      `it has ${size} bytes, and sockets of this system take ${limit}; a shorter one is e.g. /tmp/savkit.sock`,
    );
  return address;
}

/** Named pipes are no files: there is nothing to be made, looked at or removed. */
export const HAS_PIPES = process.platform === 'win32';

/** Whether a control socket can have such a path. */
export function isSocketPath(path: string): boolean {
  try {
    return socketAddress(path) !== '';
  } catch {
    return false;
  }
}

function pipeOf(path: string): string {
  if (/^[\\/]{2}[.?][\\/]pipe[\\/]./i.test(path)) return `${PIPES}${path.slice(PIPES.length).replaceAll('/', '\\')}`;
  // The file system there does not tell letters by their case.
  const full = win32.resolve(path).toLowerCase();
  const name = `savkit-${full.replace(/[\\/:]+/g, '-')}`;
  if (name.length <= LONGEST_PIPE_NAME) return PIPES + name;
  return `${PIPES}savkit-${createHash('sha256').update(full).digest('hex')}`;
}

/** Whether a path is that of a control socket, as far as one can see without connecting. */
export function isControlSocket(path: string): boolean {
  if (!HAS_PIPES) return statSync(path, { throwIfNoEntry: false })?.isSocket() ?? false;
  const name = socketAddress(path).slice(PIPES.length);
  return readdirSync(PIPES).some((each) => each.toLowerCase() === name.toLowerCase());
}

function badPath(path: string, why: string): UsageError {
  return new UsageError(
    'bad-socket-path',
    `Cannot use ${path === '' ? '""' : `…${basename(path).slice(-40)}`} as control socket: ${why}`,
  );
}
