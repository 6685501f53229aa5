import { randomBytes } from 'node:crypto';
import { readdirSync, unlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { isRunning } from './is-running.ts';

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
  const path = join(folder, `${prefixOf(purpose)}${process.pid}.${randomBytes(6).toString('hex')}${SUFFIX}`);
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
  for (const path of present) remove(path);
}

/** Removes what processes of this host that were killed have left for the same purpose. */
export function removeLeftovers(folder: string, purpose: string): void {
  const prefix = prefixOf(purpose);
  for (const name of namesIn(folder)) {
    if (!name.startsWith(prefix) || !name.endsWith(SUFFIX)) continue;
    const pid = Number(name.slice(prefix.length).split('.')[0]);
    if (Number.isInteger(pid) && !isRunning(pid)) remove(join(folder, name));
  }
}

/** Names the host, too: in a shared folder process numbers of others mean nothing. */
function prefixOf(purpose: string): string {
  return `.${purpose}.${hostname()}.`;
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function remove(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // It was never made, or somebody else was quicker.
  }
}
