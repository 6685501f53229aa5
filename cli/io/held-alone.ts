import { statSync, unlinkSync, utimes } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { EnvironmentError } from '../../formats/errors.ts';
import { integer, record, type ShapeValue, text } from '../../formats/values/shape.ts';
import { isAlive } from '../../formats/world/place.ts';
import { clock, every, sleep, stopTimer } from '../../formats/world/waiting.ts';
import { world } from '../../formats/world/world.ts';

/** Interval at which a holder renews the time of its lock, as a sign of life for other hosts. */
const SIGN_OF_LIFE_MS = 5000;
const SILENT_MS = 30_000;
/** Time within which the maker of a lock writes its name into it. */
const NAME_MS = 2000;
const LOOK_MS = 50;
/** A lock is shorter. */
const MOST_BYTES = 4096;

const holderShape = record({ pid: integer(0, Number.MAX_SAFE_INTEGER), place: text(4096) });

/** The lock beside a file, which names the process that works with the file. */
export function lockOf(path: string): string {
  return `${path}.lock`;
}

/**
 * Locks a file against other processes of savkit. The lock of a process that has ended is taken over.
 * @returns function that unlocks @throws EnvironmentError `EBUSY` where another process has the file
 */
export async function holdAlone(path: string): Promise<() => void> {
  const lock = lockOf(path);
  const { pid } = world.process;
  for (;;) {
    try {
      await writeFile(lock, JSON.stringify({ pid, place: world.process.place() }), { flag: 'wx', mode: 0o600 });
      break;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw EnvironmentError.from(error, `write ${lock}`);
    }
    const holder = await holderOf(lock);
    if (!isRemoved(lock, holder)) throw inUse(path, holder);
  }
  const signs = every(SIGN_OF_LIFE_MS, () => utimes(lock, new Date(), new Date(), () => {}));
  return () => {
    stopTimer(signs);
    removeQuietly(lock);
  };
}

/** Content of a lock. It is empty where its maker ended before it wrote its name. */
type Holder = 'gone' | 'unnamed' | 'not ours' | ShapeValue<typeof holderShape>;

async function holderOf(lock: string): Promise<Holder> {
  for (const until = clock() + NAME_MS; ; await sleep(LOOK_MS)) {
    const there = statSync(lock, { throwIfNoEntry: false });
    if (!there) return 'gone';
    if (!there.isFile() || there.size > MOST_BYTES) return 'not ours';
    const written = await readFile(lock, 'utf8').catch(() => '');
    try {
      if (written !== '') return holderShape(JSON.parse(written));
    } catch {
      return 'not ours';
    }
    if (clock() > until) return 'unnamed';
  }
}

/**
 * Removes a lock in one step; else it might remove the new lock of another process, which has removed the old one
 * meanwhile.
 */
function isRemoved(lock: string, holder: Holder): boolean {
  if (holder === 'gone') return true;
  if (holder === 'not ours') return false;
  const alive = holder === 'unnamed' ? 'unknown' : isAlive(holder, true);
  const there = statSync(lock, { throwIfNoEntry: false });
  const isLeft = alive === 'unknown' ? !there || Math.abs(Date.now() - there.mtimeMs) > SILENT_MS : !alive;
  if (isLeft) removeQuietly(lock);
  return isLeft;
}

function removeQuietly(lock: string): void {
  try {
    unlinkSync(lock);
  } catch {
    // Gone already.
  }
}

function inUse(path: string, holder: Holder): EnvironmentError {
  const who = typeof holder === 'object' ? `process ${holder.pid}` : 'another process';
  const help = `if that has ended, remove ${lockOf(path)}`;
  return new EnvironmentError('EBUSY', `Cannot go on with ${path}: ${who} is at work with it; ${help}`);
}
