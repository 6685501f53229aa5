import { readFileSync } from 'node:fs';
import type { SavkitProcess } from '../../migrations/testing/savkit-process.ts';

/**
 * Whether the command itself has ended, whatever started it. What nobody has asked after its end counts as ended, too.
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
