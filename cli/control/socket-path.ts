import { createHash } from 'node:crypto';
import { readdirSync, statSync } from 'node:fs';
import { basename, win32 } from 'node:path';
import { UsageError } from '../../formats/errors.ts';

/** Longest path of a socket, in bytes. Systems, and Node, cut longer paths off without an error. */
const LONGEST: Readonly<Partial<Record<NodeJS.Platform, number>>> = { linux: 107, android: 107 };
/** Limit of macOS and the BSDs, assumed for any other Unix. */
const LONGEST_ELSEWHERE = 103;
const PIPES = '\\\\.\\pipe\\';
const LONGEST_PIPE_NAME = 256 - PIPES.length;

/**
 * The address to listen on, or to connect to, for the path of a control socket: the path itself; on Windows, a named
 * pipe whose name is made from the full path.
 * @throws UsageError `bad-socket-path`
 */
export function socketAddress(path: string, platform: NodeJS.Platform = process.platform): string {
  if (path === '' || path.includes('\0')) throw badPath(path, 'it is empty, or holds a NUL byte');
  if (platform === 'win32') return pipeOf(path);
  const limit = LONGEST[platform] ?? LONGEST_ELSEWHERE;
  // Node would take a name like `8080` for a TCP port.
  const address = Number(path) >= 0 ? `./${path}` : path;
  const size = Buffer.byteLength(address);
  if (size > limit)
    throw badPath(
      path,
      `it has ${size} bytes, and sockets of this system take ${limit}; a shorter one is e.g. /tmp/savkit.sock`,
    );
  return address;
}

/** Whether control sockets are named pipes, which are no files: no folder is made, and no file removed. */
export const HAS_PIPES = process.platform === 'win32';

/** Whether a control socket can have the path. */
export function isSocketPath(path: string): boolean {
  try {
    return socketAddress(path) !== '';
  } catch {
    return false;
  }
}

function pipeOf(path: string): string {
  if (/^[\\/]{2}[.?][\\/]pipe[\\/]./i.test(path)) return `${PIPES}${path.slice(PIPES.length).replaceAll('/', '\\')}`;
  // File names of Windows ignore case.
  const full = win32.resolve(path).toLowerCase();
  const name = `savkit-${full.replace(/[\\/:]+/g, '-')}`;
  if (name.length <= LONGEST_PIPE_NAME) return PIPES + name;
  return `${PIPES}savkit-${createHash('sha256').update(full).digest('hex')}`;
}

/** Whether a path looks like a control socket, without connecting. */
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
