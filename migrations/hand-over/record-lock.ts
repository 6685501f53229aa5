import { sleep } from '../../formats/world/waiting.ts';
import { world } from '../../formats/world/world.ts';

/** Locks are held for milliseconds; an older one was left by a process that has ended. */
const STALE_MS = 10_000;
const LOOK_MS = 20;

/**
 * Runs work that reads and then writes a record, one process at a time: if two judge the record of a process that has
 * ended, the second reads the result of the first. Where no lock can be made, nothing could be written either.
 */
export async function withRecordLock<T>(path: string, work: () => Promise<T>): Promise<T> {
  const lock = `${path}.lock`;
  const isHeld = await take(lock);
  try {
    return await work();
  } finally {
    if (isHeld) await world.disk.unlink(lock).catch(() => {});
  }
}

async function take(lock: string): Promise<boolean> {
  for (;;) {
    try {
      await (await world.disk.open(lock, 'wx', 0o600)).close();
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') return false;
    }
    if (!endIfStale(lock)) await sleep(LOOK_MS);
  }
}

/**
 * Removes a stale lock. Synchronous, so that it cannot remove the new lock of a process that has just replaced the
 * stale one.
 */
function endIfStale(lock: string): boolean {
  try {
    if (Math.abs(world.time.date() - world.disk.statSync(lock).mtimeMs) <= STALE_MS) return false;
    world.disk.unlinkSync(lock);
    return true;
  } catch {
    return false;
  }
}
