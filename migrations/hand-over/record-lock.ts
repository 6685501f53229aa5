import { EnvironmentError } from '../../formats/errors.ts';
import { integer, record, text, withDefault } from '../../formats/values/shape.ts';
import { isAlive } from '../../formats/world/place.ts';
import { clock, sleep } from '../../formats/world/waiting.ts';
import { world } from '../../formats/world/world.ts';

/** Locks are held for milliseconds. */
const LONGEST_MS = 10_000;
const LOOK_MS = 20;
/** A lock is shorter. */
const MOST_BYTES = 4096;

const holderShape = record({
  pid: integer(1, Number.MAX_SAFE_INTEGER),
  place: text(MOST_BYTES),
  begunAt: withDefault(text(64), ''),
});

/**
 * Runs work that reads and then writes a record, one process at a time: if two judge the record of a process that has
 * ended, the second reads the result of the first. Where no lock can be made, nothing could be written either.
 * @throws EnvironmentError `EBUSY` where a process that lives does not give the lock back
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
  let [seen, since] = ['', clock()];
  for (;;) {
    const made = await make(lock);
    if (made !== 'there already') return made === 'made';
    const found = lookAt(lock);
    // Clocks of hosts may jump, and differ: only time that has passed while this process looked on counts.
    if (found.text !== seen) [seen, since] = [found.text, clock()];
    const isOverdue = clock() - since > LONGEST_MS;
    if (found.isAlive === true && isOverdue)
      throw new EnvironmentError('EBUSY', `Cannot use ${lock}: another process of savkit holds it, and stands still`);
    if (found.isAlive === false || isOverdue) remove(lock);
    else await sleep(LOOK_MS);
  }
}

async function make(lock: string): Promise<'made' | 'there already' | 'impossible'> {
  try {
    const file = await world.disk.open(lock, 'wx', 0o600);
    const { pid } = world.process;
    // A lock without a name counts until it is overdue.
    await file
      .writeFile(JSON.stringify({ pid, place: world.process.place(), begunAt: world.process.begunAt() }))
      .catch(() => {});
    await file.close();
    return 'made';
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EEXIST' ? 'there already' : 'impossible';
  }
}

/** A lock of another process: a text that differs from that of any other lock, and whether its holder lives. */
function lookAt(lock: string): { text: string; isAlive: boolean | 'unknown' } {
  let text = '';
  try {
    const there = world.disk.statSync(lock);
    text = `${there.mtimeMs} `;
    // Reading a pipe would wait for ever.
    if (!there.isFile() || there.size > MOST_BYTES) return { text, isAlive: 'unknown' };
    const holder = world.disk.readFileSync(lock, 'utf8');
    text += holder;
    return { text, isAlive: isAlive(holderShape(JSON.parse(holder)), true) };
  } catch {
    // It is gone, or has no name yet.
    return { text, isAlive: 'unknown' };
  }
}

/** In one step with the look before it, so that it hardly ever is the new lock of a process that was quicker. */
function remove(lock: string): void {
  try {
    world.disk.unlinkSync(lock);
  } catch {
    // Another process has done so.
  }
}
