import { integer, record, text, withDefault } from '../values/shape.ts';
import { isAlive, type RecordedProcess, thisProcess } from '../world/place.ts';
import { world } from '../world/world.ts';

// A lock is a file that names the process which holds it. A process of another host or container cannot be looked up,
// and times of files do not tell its age, since clocks of hosts jump, and differ. So its lock counts as left behind
// only if it does not change while it is watched.

/** Maximum number of bytes that are read of a lock; savkit's own are shorter. */
const MOST_BYTES = 4096;

const holderShape = record({
  pid: integer(1, Number.MAX_SAFE_INTEGER),
  place: text(MOST_BYTES),
  // Older versions do not write the start time.
  begunAt: withDefault(text(64), ''),
});

/** Process that a lock names; `unnamed`: the lock has no name yet, or can't be read; `not ours`: no lock of savkit. */
export type Holder = RecordedProcess | 'unnamed' | 'not ours';

/** Text of this process's locks. */
export function nameOfLock(): string {
  return JSON.stringify(thisProcess());
}

/**
 * Makes a lock that names this process. Where the disk takes no name, the lock stays empty.
 * @returns the lock's text; undefined if there is a lock already @throws errors of the system
 */
export async function makeLock(path: string): Promise<string | undefined> {
  try {
    const file = await world.disk.open(path, 'wx', 0o600);
    const name = nameOfLock();
    const written = await file.writeFile(name).then(
      () => name,
      () => '',
    );
    await file.close().catch(() => {});
    return written;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return undefined;
    throw error;
  }
}

/** Whether a lock has this text still: another process may have taken it over. */
export function isLock(path: string, text: string): boolean {
  return lookAt(path).text === text;
}

/** Removes a lock if it has this text still. @throws errors of the system */
export function removeLock(path: string, text: string): void {
  // No pause follows the look, so the removed lock is hardly ever the new one of a process that was quicker.
  if (isLock(path, text)) world.disk.unlinkSync(path);
}

/** Looks at the lock of another process, again and again. */
export class LockWatch {
  readonly #path: string;
  readonly #intervalMs: number;
  #sign: string | undefined;
  holder: Holder = 'unnamed';
  text = '';
  /**
   * Time for which the lock has stayed as it is, by the number of looks: a process that was stopped meanwhile has not
   * looked on.
   */
  unchangedMs = 0;
  /** Between two looks something happened to the lock: its holder lives, or lived until then. */
  hasChanged = false;

  /** @param intervalMs time from look to look */
  constructor(path: string, intervalMs: number) {
    this.#path = path;
    this.#intervalMs = intervalMs;
  }

  /** Whether the holder lives, as far as can be told from here. */
  get isHolderAlive(): boolean | 'unknown' {
    return typeof this.holder === 'string' ? 'unknown' : isAlive(this.holder, true);
  }

  look(): this {
    const { text, mtimeMs, isFile } = lookAt(this.#path);
    const sign = `${mtimeMs} ${text}`;
    this.unchangedMs = sign === this.#sign ? this.unchangedMs + this.#intervalMs : 0;
    this.hasChanged ||= this.#sign !== undefined && sign !== this.#sign;
    this.#sign = sign;
    this.text = text;
    this.holder = isFile ? holderIn(text) : 'not ours';
    return this;
  }
}

function lookAt(path: string): { text: string; mtimeMs: number; isFile: boolean } {
  const look = { text: '', mtimeMs: 0, isFile: true };
  try {
    const there = world.disk.statSync(path);
    look.mtimeMs = there.mtimeMs;
    // Reading a pipe would wait for ever.
    look.isFile = there.isFile() && there.size <= MOST_BYTES;
    if (look.isFile) look.text = world.disk.readFileSync(path, 'utf8');
  } catch {
    // The lock is gone, or can't be read.
  }
  return look;
}

function holderIn(text: string): Holder {
  if (text === '') return 'unnamed';
  try {
    return holderShape(JSON.parse(text));
  } catch {
    return 'not ours';
  }
}
