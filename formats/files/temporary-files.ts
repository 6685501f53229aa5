import { hostname } from 'node:os';
import { join } from 'node:path';
import { world } from '../world/world.ts';

// Temporary files hold what guests hold. None of them outlives the process that made it: a process that ends by itself
// removes them, and what a killed one has left, the next one removes.

const SUFFIX = '.part';
const present = new Set<string>();

/**
 * A new name for a temporary file, and a promise: from now on the process removes the file at its end, unless
 * `forgetTemporaryFile` comes before.
 * @param purpose begins the name
 */
export function nameTemporaryFile(folder: string, purpose: string): string {
  if (present.size === 0) process.once('exit', removeTemporaryFiles);
  const path = join(
    folder,
    `${prefixOf(purpose)}${world.process.pid}.${world.chance.bytes(6).toString('hex')}${SUFFIX}`,
  );
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

/** Removes what processes of this host that were killed have left for the same purpose. */
export function removeLeftovers(folder: string, purpose: string): void {
  const prefix = prefixOf(purpose);
  for (const name of namesIn(folder)) {
    if (!name.startsWith(prefix) || !name.endsWith(SUFFIX)) continue;
    const pid = Number(name.slice(prefix.length).split('.')[0]);
    if (Number.isInteger(pid) && !world.process.isRunning(pid)) removeFile(join(folder, name));
  }
}

/** Names the host, too: in a shared folder process numbers of others mean nothing. */
function prefixOf(purpose: string): string {
  return `.${purpose}.${hostname()}.`;
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
