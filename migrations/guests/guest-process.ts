import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

// What the system tells of the process of a QEMU. Linux only: elsewhere nothing is known.

/** The process that listens on a socket. */
export interface GuestProcess {
  /** Its number. */
  pid: number;
  /** Its arguments, the program first; empty where they can't be read. */
  commandLine: string[];
}

/** `/proc/net/unix`: flag of a socket that listens. */
const LISTENS = '00010000';

/** The process that listens on a Unix socket; undefined where that can't be told, as for a process of another user. */
export function processBehind(socketPath: string): GuestProcess | undefined {
  for (const link of socketsAt(socketPath)) {
    const pid = processWithFile(link);
    if (pid !== undefined) return { pid, commandLine: commandLineOf(pid) };
  }
  return undefined;
}

function socketsAt(path: string): string[] {
  return told(() => readFileSync('/proc/net/unix', 'utf8'), '')
    .split('\n')
    .map((row) => row.trim().split(/\s+/))
    .filter(([, , , flags, , , , ...name]) => flags === LISTENS && name.join(' ') === path)
    .map(([, , , , , , inode]) => `socket:[${inode}]`);
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

export function commandLineOf(pid: number): string[] {
  const text = told(() => readFileSync(`/proc/${pid}/cmdline`, 'utf8'), '');
  return text === '' ? [] : text.replace(/\0$/, '').split('\0');
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
