import { createHash } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

/** This process, and its view of other processes on the host. */
export interface OwnProcess {
  /** Its number. */
  readonly pid: number;
  /**
   * The scope of process numbers, so that records of other hosts or boots are told apart: host, boot and PID namespace;
   * parts that the system does not tell are empty.
   */
  place(): string;
  /**
   * Whether a process with this number runs on this host. It may be another one than was meant: systems use numbers of
   * ended processes again.
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
      return process.kill(pid, 0) && !isZombie(pid);
    } catch (error) {
      // EPERM: it runs, and belongs to another user.
      return (error as NodeJS.ErrnoException).code === 'EPERM';
    }
  },
};
let known: string | undefined;

/** Whether a process is a zombie: it has ended, and its parent has not asked for its exit code yet. */
function isZombie(pid: number): boolean {
  return /^\d+ \(.*\) [ZX] /s.test(told(() => readFileSync(`/proc/${pid}/stat`, 'utf8')));
}

function told(ask: () => string): string {
  try {
    return ask().trim();
  } catch {
    return '';
  }
}
