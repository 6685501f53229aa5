import { readFileSync } from 'node:fs';
import type { SavkitProcess } from '../../migrations/testing/savkit-process.ts';

/**
 * Whether the command itself has ended, whatever started it. A zombie, whose exit code nobody has taken yet, counts as
 * ended.
 */
export function isDead({ pid, child }: SavkitProcess): boolean {
  if (pid === child.pid) return child.exitCode !== null || child.signalCode !== null;
  try {
    process.kill(pid, 0);
    return /^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return true;
  }
}
