import { utimes } from 'node:fs';
import { EnvironmentError, InterruptedError } from '../../formats/errors.ts';
import { type Holder, isLock, LockWatch, makeLock, removeLock } from '../../formats/locks/lock-file.ts';
import { every, sleep, stopTimer, systemDate } from '../../formats/world/waiting.ts';
import { stop } from './stop.ts';

/** Interval at which a holder renews the time of its lock, as a sign of life for other hosts. */
const SIGN_OF_LIFE_MS = 5000;
const SILENT_MS = 30_000;
const LOOK_MS = 50;

/** The lock beside a file, which names the process that works with the file. */
export function lockOf(path: string): string {
  return `${path}.lock`;
}

/**
 * Locks a file against other processes of savkit. The lock of a process that has ended is taken over; a lock of another
 * host, once it has shown no sign of life for half a minute.
 * @returns function that unlocks @throws EnvironmentError `EBUSY` where another process has the file, InterruptedError
 */
export async function holdAlone(path: string): Promise<() => void> {
  const lock = lockOf(path);
  const text = await take(path, lock);
  const signs = every(SIGN_OF_LIFE_MS, () => {
    const now = systemDate();
    if (isLock(lock, text)) utimes(lock, now, now, () => {});
  });
  return () => {
    stopTimer(signs);
    letGo(lock, text);
  };
}

/** @returns text of the lock */
async function take(path: string, lock: string): Promise<string> {
  const watch = new LockWatch(lock, LOOK_MS);
  for (;;) {
    const text = await makeLock(lock).catch((error) => {
      throw EnvironmentError.from(error, `write ${lock}`);
    });
    if (text !== undefined) return text;
    const { holder, isHolderAlive, hasChanged, unchangedMs } = watch.look();
    if (holder === 'not ours' || isHolderAlive === true || (isHolderAlive === 'unknown' && hasChanged))
      throw inUse(path, holder);
    if (stop.signal.aborted) throw new InterruptedError();
    if (isHolderAlive === false || unchangedMs >= SILENT_MS) takeAway(path, watch);
    else await sleep(LOOK_MS);
  }
}

function takeAway(path: string, { text, holder }: LockWatch): void {
  try {
    removeLock(lockOf(path), text);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw inUse(path, holder);
  }
}

function letGo(lock: string, text: string): void {
  try {
    removeLock(lock, text);
  } catch {
    // The lock is gone already, or stays until another process finds that its holder has ended.
  }
}

function inUse(path: string, holder: Holder): EnvironmentError {
  const who = typeof holder === 'object' ? `process ${holder.pid}` : 'another process';
  const help = `if that process has ended, remove ${lockOf(path)}`;
  return new EnvironmentError('EBUSY', `Cannot go on with ${path}: ${who} is at work with it; ${help}`);
}
