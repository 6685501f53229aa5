import { basename } from 'node:path';
import { clock, sleep } from '../../formats/world/waiting.ts';
import { world } from '../../formats/world/world.ts';

// Facts about the process of a QEMU, from the system. Linux only: elsewhere nothing is known.

/** The process that listens on a socket. */
export interface GuestProcess {
  /** PID of the process. */
  pid: number;
  /** Arguments, the program first; empty where they can't be read. */
  commandLine: string[];
}

/** Time within which a process ends after its sockets have closed. */
const END_MS = 2000;
const LOOK_MS = 10;
/** `/proc/net/unix`: flag of a socket that listens. */
const LISTENS = '00010000';

/**
 * The process that listens on a Unix socket; undefined if it is not visible, such as another user's, or if several seem
 * to listen: any user can give a socket the name of another one.
 */
export function processBehind(socketPath: string): GuestProcess | undefined {
  return only(processesBehind(socketPath));
}

/** All processes that seem to listen on a Unix socket. */
export function processesBehind(socketPath: string): GuestProcess[] {
  const own = told(() => basename(world.disk.realpathSync(socketPath)), '');
  // The path of a socket is the one that its process sees, from its own working directory and in its own file system.
  const names = new Map(listeners().flatMap(({ link, name }) => (basename(name) === own ? [[link, name]] : [])));
  if (names.size === 0) return [];
  const isBehind = (pid: number) =>
    linksOf(pid).some(({ target }) => {
      const name = names.get(target);
      return name !== undefined && isSameFile(pathSeenBy(pid, name), socketPath);
    });
  return numbered('/proc')
    .filter(isBehind)
    .map((pid) => ({ pid, commandLine: commandLineOf(pid) }));
}

function only<T>(found: readonly T[]): T | undefined {
  return found.length === 1 ? found[0] : undefined;
}

/**
 * Path by which this process reaches a file that another process names: that process may have another root or working
 * directory.
 */
export function pathSeenBy(pid: number, path: string): string {
  const seen = path.startsWith('/') ? `/proc/${pid}/root${path}` : `/proc/${pid}/cwd/${path}`;
  return path.startsWith('/') && isSameFile(seen, path) ? path : seen;
}

function isSameFile(one: string, other: string): boolean {
  const [a, b] = [one, other].map((path) => told(() => world.disk.identitySync(path), undefined));
  return a !== undefined && b !== undefined && a.dev === b.dev && a.ino === b.ino;
}

function listeners(): { link: string; name: string }[] {
  return told(() => world.disk.readFileSync('/proc/net/unix', 'utf8'), '')
    .split('\n')
    .map((row) => row.trim().split(/\s+/))
    .filter(([, , , flags]) => flags === LISTENS)
    .map(([, , , , , , inode, ...name]) => ({ link: `socket:[${inode}]`, name: name.join(' ') }));
}

/** The process that has a file open, by the file's full path, or a socket, `socket:[INODE]`. */
export function processWithFile(link: string): number | undefined {
  return numbered('/proc').find((pid) => linksOf(pid).some(({ target }) => target === link));
}

/** A process's file descriptors, and the file that each has open. */
export function linksOf(pid: number): { path: string; target: string }[] {
  const folder = `/proc/${pid}/fd`;
  return numbered(folder).map((fd) => {
    const path = `${folder}/${fd}`;
    return { path, target: told(() => world.disk.readlinkSync(path), '') };
  });
}

/** The one process whose arguments have these words one after the other; undefined if several have them. */
export function processWithWords(...words: readonly string[]): GuestProcess | undefined {
  const all = numbered('/proc').map((pid) => ({ pid, commandLine: commandLineOf(pid) }));
  return only(all.filter(({ commandLine }) => hasInOrder(commandLine, words)));
}

function hasInOrder(commandLine: readonly string[], words: readonly string[]): boolean {
  return commandLine.some((_, at) => words.every((word, i) => commandLine[at + i] === word));
}

/** Root folder and user of a process; this process's own if the system does not tell. */
export function surroundingsOf(pid: number | undefined): { root: string; uid: number } {
  const own = { root: '/', uid: process.getuid?.() ?? 0 };
  const folder = `/proc/${pid}`;
  const stat = pid === undefined ? undefined : told(() => world.disk.statSync(folder), undefined);
  if (!stat) return own;
  return { root: isSameFile(`${folder}/root/`, '/') ? '/' : `${folder}/root`, uid: stat.uid };
}

export function commandLineOf(pid: number): string[] {
  const text = told(() => world.disk.readFileSync(`/proc/${pid}/cmdline`, 'utf8'), '');
  return text === '' ? [] : text.replace(/\0$/, '').split('\0');
}

/** Whether a process ends within a moment, or has ended: a zombie has no arguments left. */
export async function endsSoon(pid: number): Promise<boolean> {
  for (const end = clock() + END_MS; commandLineOf(pid).length > 0; await sleep(LOOK_MS))
    if (clock() > end) return false;
  return true;
}

function numbered(folder: string): number[] {
  return told(() => world.disk.readdirSync(folder), [])
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

/** Asks for a fact of a process, which may end meanwhile, or of a file, which may be gone. */
export function told<T>(ask: () => T, otherwise: T): T {
  try {
    return ask();
  } catch {
    return otherwise;
  }
}
