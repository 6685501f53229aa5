import { readdirSync, readFileSync, readlinkSync, realpathSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import { setTimeout } from 'node:timers/promises';

// What the system tells of the process of a QEMU. Linux only: elsewhere nothing is known.

/** The process that listens on a socket. */
export interface GuestProcess {
  /** Its number. */
  pid: number;
  /** Its arguments, the program first; empty where they can't be read. */
  commandLine: string[];
}

/** A process whose sockets are closed is about to be gone. */
const END_MS = 2000;
const LOOK_MS = 10;
/** `/proc/net/unix`: flag of a socket that listens. */
const LISTENS = '00010000';

/** The process that listens on a Unix socket; undefined where that can't be told, as for a process of another user. */
export function processBehind(socketPath: string): GuestProcess | undefined {
  const own = told(() => basename(realpathSync(socketPath)), '');
  for (const { link, name } of listeners()) {
    // A process names a socket as it sees it: from its own working directory, and in its own file system.
    if (basename(name) !== own) continue;
    const pid = processWithFile(link);
    if (pid !== undefined && isSameFile(pathSeenBy(pid, name), socketPath))
      return { pid, commandLine: commandLineOf(pid) };
  }
  return undefined;
}

/** Where this process finds a file that another one names: that may have another root, or another working directory. */
export function pathSeenBy(pid: number, path: string): string {
  const seen = path.startsWith('/') ? `/proc/${pid}/root${path}` : `/proc/${pid}/cwd/${path}`;
  return path.startsWith('/') && isSameFile(seen, path) ? path : seen;
}

function isSameFile(one: string, other: string): boolean {
  const [a, b] = [one, other].map((path) => told(() => statSync(path, { bigint: true }), undefined));
  return a !== undefined && b !== undefined && a.dev === b.dev && a.ino === b.ino;
}

function listeners(): { link: string; name: string }[] {
  return told(() => readFileSync('/proc/net/unix', 'utf8'), '')
    .split('\n')
    .map((row) => row.trim().split(/\s+/))
    .filter(([, , , flags]) => flags === LISTENS)
    .map(([, , , , , , inode, ...name]) => ({ link: `socket:[${inode}]`, name: name.join(' ') }));
}

/** The process that has a file open, by the file's full path, or a socket, `socket:[INODE]`. */
export function processWithFile(link: string): number | undefined {
  return numbered('/proc').find((pid) => linksOf(pid).some(({ target }) => target === link));
}

/** What the numbers of a process's open files stand for. */
export function linksOf(pid: number): { path: string; target: string }[] {
  const folder = `/proc/${pid}/fd`;
  return numbered(folder).map((fd) => {
    const path = `${folder}/${fd}`;
    return { path, target: told(() => readlinkSync(path), '') };
  });
}

/** The process whose arguments have these words one after the other. */
export function processWithWords(...words: readonly string[]): GuestProcess | undefined {
  for (const pid of numbered('/proc')) {
    const commandLine = commandLineOf(pid);
    const at = commandLine.indexOf(words[0]);
    if (at >= 0 && words.every((word, i) => commandLine[at + i] === word)) return { pid, commandLine };
  }
  return undefined;
}

/** Where a process sees the file system, and as whom; this process's own, where that is not told. */
export function surroundingsOf(pid: number | undefined): { root: string; uid: number } {
  const own = { root: '/', uid: process.getuid?.() ?? 0 };
  const folder = `/proc/${pid}`;
  const stat = pid === undefined ? undefined : told(() => statSync(folder), undefined);
  if (!stat) return own;
  return { root: isSameFile(`${folder}/root/`, '/') ? '/' : `${folder}/root`, uid: stat.uid };
}

export function commandLineOf(pid: number): string[] {
  const text = told(() => readFileSync(`/proc/${pid}/cmdline`, 'utf8'), '');
  return text === '' ? [] : text.replace(/\0$/, '').split('\0');
}

/**
 * Whether a process ends within a moment, or has ended: one that nobody has asked for its exit code has no words left.
 */
export async function endsSoon(pid: number): Promise<boolean> {
  for (const end = performance.now() + END_MS; commandLineOf(pid).length > 0; await setTimeout(LOOK_MS))
    if (performance.now() > end) return false;
  return true;
}

function numbered(folder: string): number[] {
  return told(() => readdirSync(folder), [])
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

/** Processes end while one looks at them. */
function told<T>(ask: () => T, otherwise: T): T {
  try {
    return ask();
  } catch {
    return otherwise;
  }
}
