import { join } from 'node:path';
import { isAlive } from '../world/place.ts';
import { world } from '../world/world.ts';

// Temporary files hold what guests hold. None of them outlives the process that made it: a process that ends by itself
// removes them. Those of a killed one stay until another savkit writes in their folder.

/**
 * The name of a temporary file tells who has made it: where its process ran (`OwnProcess.place`, with `_` for spaces)
 * and its number. After it come characters that nobody can guess.
 */
const MAKER = /\.savkit_([^_]*_[^_]*_[^_]*)_(\d+)_[0-9a-f]{12}\.part$/;
/** Characters of the purpose that a name begins with: file systems take 255 bytes. */
const MOST_OF_PURPOSE = 24;
const present = new Set<string>();

/**
 * A new name for a temporary file, and a promise: from now on the process removes the file at its end, unless
 * `forgetTemporaryFile` comes before.
 * @param purpose begins the name
 */
export function nameTemporaryFile(folder: string, purpose: string): string {
  if (present.size === 0) process.once('exit', removeTemporaryFiles);
  const maker = [...world.process.place().split(' '), world.process.pid, world.chance.bytes(6).toString('hex')];
  const path = join(folder, `${beginningOf(purpose)}savkit_${maker.join('_')}.part`);
  present.add(path);
  return path;
}

/** To be called once the file is gone, or has another name. */
export function forgetTemporaryFile(path: string): void {
  present.delete(path);
  if (present.size === 0) process.off('exit', removeTemporaryFiles);
}

/** To be called by who ends the process in a way that no exit handler sees. */
export function removeTemporaryFiles(): void {
  for (const path of present) removeFile(path);
}

/** Has `use` work with a new name beside others of `folder`, and removes the file of that name afterwards. */
export async function withTemporaryFile<T>(
  folder: string,
  purpose: string,
  use: (path: string) => Promise<T>,
): Promise<T> {
  removeLeftovers(folder, purpose);
  const path = nameTemporaryFile(folder, purpose);
  try {
    return await use(path);
  } finally {
    removeFile(path);
    forgetTemporaryFile(path);
  }
}

/**
 * Removes from a folder the temporary files of processes that have been killed: of this start of the host all, of
 * earlier ones those of the same purpose. Others may be in use, as several hosts and containers can share a folder, and
 * hosts that are copies of each other have one name.
 */
export function removeLeftovers(folder: string, purpose: string): void {
  for (const name of namesIn(folder)) {
    const maker = MAKER.exec(name);
    if (!maker) continue;
    const record = { place: maker[1].replaceAll('_', ' '), pid: Number(maker[2]) };
    if (isAlive(record, name.startsWith(beginningOf(purpose))) === false) removeFile(join(folder, name));
  }
}

function beginningOf(purpose: string): string {
  return `.${[...purpose].slice(0, MOST_OF_PURPOSE).join('')}.`;
}

function namesIn(folder: string): string[] {
  try {
    return world.disk.readdirSync(folder);
  } catch {
    return [];
  }
}

/** Harmless where there is none. */
export function removeFile(path: string): void {
  try {
    world.disk.unlinkSync(path);
  } catch {
    // It was never made, or somebody else was quicker.
  }
}
