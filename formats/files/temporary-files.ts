import { join } from 'node:path';
import { isAlive } from '../world/place.ts';
import { world } from '../world/world.ts';

// Temporary files hold guests' data. A process that ends by itself removes its own; those of a killed process stay
// until another savkit writes in their folder.

/**
 * The name of a temporary file holds the place (`OwnProcess.place`, with `_` for spaces) and number of the process that
 * made it, and random characters.
 */
const MAKER = /\.savkit_([^_]*_[^_]*_[^_]*)_(\d+)_[0-9a-f]{12}\.part$/;
/** Characters of the purpose that a name begins with: file systems take 255 bytes. */
const MOST_OF_PURPOSE = 24;
const present = new Set<string>();

/**
 * A new name for a temporary file. The process removes the file at its end, unless `forgetTemporaryFile` is called
 * before.
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

/** To be called before the process ends in a way that runs no exit handler. */
export function removeTemporaryFiles(): void {
  for (const path of present) removeFile(path);
}

/** Calls `use` with a new path in `folder`, and removes the file of that path afterwards. */
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
 * Removes from a folder the temporary files of processes that have been killed: all of the host's present boot, and
 * those of earlier boots that have the same purpose. Others may be in use: hosts and containers can share a folder, and
 * cloned hosts have the same name.
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

/** Names in a folder; none if it cannot be read. */
export function namesIn(folder: string): string[] {
  try {
    return world.disk.readdirSync(folder);
  } catch {
    return [];
  }
}

/** Closes a file whose bytes nobody needs any more. */
export function closeFile(descriptor: number): void {
  try {
    world.disk.closeSync(descriptor);
  } catch {
    // The system has let go of it nevertheless.
  }
}

/** Removes a file, if it exists. */
export function removeFile(path: string): void {
  try {
    world.disk.unlinkSync(path);
  } catch {
    // The file was never made, or has been removed.
  }
}
