import { sleep } from '../../formats/world/waiting.ts';
import { world } from '../../formats/world/world.ts';

/** Locks are held for some milliseconds; an older one was left behind by a process that is gone. */
const STALE_MS = 10_000;
const LOOK_MS = 20;

/**
 * Does what reads a record and then writes it, alone: of two that judge a record whose process has ended the second
 * reads what the first has written. Where no lock can be made nothing can be written either.
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

/** In one go: else the lock that is ended might be the new one of somebody who has ended the stale one meanwhile. */
function endIfStale(lock: string): boolean {
  try {
    if (Math.abs(world.time.date() - world.disk.statSync(lock).mtimeMs) <= STALE_MS) return false;
    world.disk.unlinkSync(lock);
    return true;
  } catch {
    return false;
  }
}
