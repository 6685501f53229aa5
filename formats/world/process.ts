import { createHash } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

/** This process, and what it can tell of others of its host. */
export interface OwnProcess {
  /** Its number. */
  readonly pid: number;
  /**
   * Where that number means something: this host, its present start, and its present space of process numbers; parts
   * that the system does not tell are empty.
   */
  place(): string;
  /**
   * Whether a process of this number runs here, and has not ended; another one may have got the number of one that has
   * ended.
   */
  isRunning(pid: number): boolean;
}

export const REAL_PROCESS: OwnProcess = {
  pid: process.pid,
  place() {
    known ??= [
      createHash('sha256')
        .update(`savkit ${hostname()} ${told(() => readFileSync('/etc/machine-id', 'utf8'))}`)
        .digest('hex')
        .slice(0, 16),
      told(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8')),
      told(() => readlinkSync('/proc/self/ns/pid').replace(/\D/g, '')),
    ].join(' ');
    return known;
  },
  isRunning(pid) {
    try {
      return process.kill(pid, 0) && !isUnburied(pid);
    } catch (error) {
      // Those of other users run, too.
      return (error as NodeJS.ErrnoException).code === 'EPERM';
    }
  },
};
let known: string | undefined;

/** It has ended, and its parent has not asked how: the system keeps its number. */
function isUnburied(pid: number): boolean {
  return /^\d+ \(.*\) [ZX] /s.test(told(() => readFileSync(`/proc/${pid}/stat`, 'utf8')));
}

function told(ask: () => string): string {
  try {
    return ask().trim();
  } catch {
    return '';
  }
}
