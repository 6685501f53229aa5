import { readlink } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';

// Paths for files that the shell has opened already.

/** Other names of stdout. */
export const STDOUT_PATHS: readonly string[] = ['/dev/stdout', '/dev/fd/1', '/proc/self/fd/1'];

/** Longest chain of links. */
const MAX_LINKS = 40;

/**
 * The file descriptor for which a path stands. An output to it is written to the descriptor, since a file that the
 * shell has opened must not be replaced.
 */
export async function descriptorOf(path: string): Promise<number | undefined> {
  let at = resolve(path);
  for (let links = 0; links < MAX_LINKS; links++) {
    if (at === '/dev/stdout') return 1;
    if (at === '/dev/stderr') return 2;
    const [, number] = /^\/(?:dev|proc\/(?:self|thread-self|\d+))\/fd\/(\d+)$/.exec(at) ?? [];
    if (number !== undefined && !isOfOtherProcess(at)) return Number(number);
    const next = await readlink(at).catch(() => undefined);
    if (next === undefined) return undefined;
    at = resolve(dirname(at), next);
  }
  return undefined;
}

function isOfOtherProcess(path: string): boolean {
  const [, pid] = /^\/proc\/(\d+)\//.exec(path) ?? [];
  return pid !== undefined && Number(pid) !== process.pid;
}
