import { createHash } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { availableParallelism, hostname } from 'node:os';

/** This process, and its view of other processes on the host. */
export interface OwnProcess {
  /** PID of this process. */
  readonly pid: number;
  /** Threads that are worth while, this one included. */
  threads(): number;
  /**
   * The scope of process numbers, so that records of other hosts or boots are told apart: host, boot and PID namespace;
   * parts that the system does not tell are empty.
   */
  place(): string;
  /** Start time, counted from the start of the host; empty where the system does not tell. */
  begunAt(): string;
  /**
   * Whether a process with this number runs on this host.
   * @param begunAt start time, as systems use numbers of ended processes again; empty if unknown
   */
  isRunning(pid: number, begunAt?: string): boolean;
}

export const REAL_PROCESS: OwnProcess = {
  pid: process.pid,
  threads: availableParallelism,
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
  begunAt: () => statusOf(process.pid).begunAt,
  isRunning(pid, begunAt = '') {
    try {
      process.kill(pid, 0);
    } catch (error) {
      // EPERM: it runs, and belongs to another user.
      if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
    }
    const now = statusOf(pid);
    const isAnother = begunAt !== '' && now.begunAt !== '' && now.begunAt !== begunAt;
    // A zombie: the process has ended, and its parent has not asked for the exit code yet.
    const isZombie = /[ZX]/.test(now.state);
    return !isAnother && !isZombie;
  },
};
let known: string | undefined;

/** State and start time of a process; empty texts where the system does not tell them. */
function statusOf(pid: number): { state: string; begunAt: string } {
  const status = told(() => readFileSync(`/proc/${pid}/stat`, 'utf8'));
  // The name of its program, in brackets, may hold brackets.
  const fields = status.slice(status.lastIndexOf(')') + 2).split(' ');
  return { state: fields[0], begunAt: fields[19] ?? '' };
}

function told(ask: () => string): string {
  try {
    return ask().trim();
  } catch {
    return '';
  }
}
