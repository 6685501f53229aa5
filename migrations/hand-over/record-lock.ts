import { EnvironmentError } from '../../formats/errors.ts';
import { LockWatch, makeLock, nameOfLock, removeLock } from '../../formats/locks/lock-file.ts';
import { sleep } from '../../formats/world/waiting.ts';
import { world } from '../../formats/world/world.ts';

/** Locks are held for milliseconds. */
const LONGEST_MS = 10_000;
const LOOK_MS = 20;

/** The last turn of each process at each lock; a simulator has several processes. */
const turnsOf = new WeakMap<object, Map<string, Promise<unknown>>>();

/**
 * Runs work that reads and then writes a record, one process at a time: if two judge the record of a process that has
 * ended, the second reads the result of the first. Where no lock can be made, nothing could be written either.
 * @throws EnvironmentError `EBUSY` where a process that lives does not give the lock back, or the system's code where
 * a lock that was left behind can't be removed
 */
export async function withRecordLock<T>(path: string, work: () => Promise<T>): Promise<T> {
  const lock = `${path}.lock`;
  const lastTurns = turnsOf.get(world.process) ?? new Map<string, Promise<unknown>>();
  turnsOf.set(world.process, lastTurns);
  const before = lastTurns.get(lock);
  const turn = (async () => {
    await before?.catch(() => {});
    return await whileLocked(lock, work);
  })();
  lastTurns.set(lock, turn);
  try {
    return await turn;
  } finally {
    if (lastTurns.get(lock) === turn) lastTurns.delete(lock);
  }
}

async function whileLocked<T>(lock: string, work: () => Promise<T>): Promise<T> {
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
    // This process takes turns: a lock of its own is one that the disk did not remove.
    const isLeft = isHolderAlive === false || text === nameOfLock();
    if (isHolderAlive === true && !isLeft && isOverdue)
      throw new EnvironmentError('EBUSY', `Cannot use ${lock}: another process of savkit holds it, and stands still`);
    if (isLeft || isOverdue) takeAway(lock, text);
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
    // The lock stays until another process finds that its holder has ended.
  }
}
