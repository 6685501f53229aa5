import { EnvironmentError } from '../../formats/errors.ts';
import { LockWatch, makeLock, removeLock } from '../../formats/locks/lock-file.ts';
import { sleep } from '../../formats/world/waiting.ts';

/** Locks are held for milliseconds. */
const LONGEST_MS = 10_000;
const LOOK_MS = 20;

/**
 * Runs work that reads and then writes a record, one process at a time: if two judge the record of a process that has
 * ended, the second reads the result of the first. Where no lock can be made, nothing could be written either.
 * @throws EnvironmentError `EBUSY` where a process that lives does not give the lock back, or the system's code where
 * a lock that was left behind can't be removed
 */
export async function withRecordLock<T>(path: string, work: () => Promise<T>): Promise<T> {
  const lock = `${path}.lock`;
  const held = await take(lock);
  try {
    return await work();
  } finally {
    if (held !== undefined) letGo(lock, held);
  }
}

/** @returns text of the lock; undefined where none can be made */
async function take(lock: string): Promise<string | undefined> {
  const watch = new LockWatch(lock, LOOK_MS);
  for (;;) {
    try {
      const made = await makeLock(lock);
      if (made !== undefined) return made;
    } catch {
      return undefined;
    }
    const { isHolderAlive, unchangedMs, text } = watch.look();
    const isOverdue = unchangedMs > LONGEST_MS;
    if (isHolderAlive === true && isOverdue)
      throw new EnvironmentError('EBUSY', `Cannot use ${lock}: another process of savkit holds it, and stands still`);
    if (isHolderAlive === false || isOverdue) takeAway(lock, text);
    else await sleep(LOOK_MS);
  }
}

function takeAway(lock: string, text: string): void {
  try {
    removeLock(lock, text);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw EnvironmentError.from(error, `remove ${lock}`);
  }
}

function letGo(lock: string, held: string): void {
  try {
    removeLock(lock, held);
  } catch {
    // It stays until another process finds that this one has ended.
  }
}
