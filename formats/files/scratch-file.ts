import { tmpdir } from 'node:os';
import { EnvironmentError } from '../errors.ts';
import { world } from '../world/world.ts';
import { forgetTemporaryFile, nameTemporaryFile, removeLeftovers } from './temporary-files.ts';

/** A temporary file that only this process can open, and that vanishes with the process. */
export interface ScratchFile {
  /** Name for error messages, with the folder, whose disk may be full. */
  readonly name: string;
  /** For reading and writing anywhere. */
  readonly descriptor: number;
  close(): void;
}

const PURPOSE = 'savkit-scratch';

/** @param parent folder for it @throws EnvironmentError */
export function openScratchFile(parent = tmpdir()): ScratchFile {
  const path = nameTemporaryFile(parent, PURPOSE);
  const name = `a temporary file in ${parent}`;
  let descriptor: number;
  try {
    descriptor = world.disk.openSync(path, 'wx+', 0o600);
  } catch (cause) {
    forgetTemporaryFile(path);
    throw EnvironmentError.from(cause, `make ${name}`);
  }
  // Unlinked, the file lives on under its descriptor, and a killed process leaves nothing behind. Systems that cannot
  // unlink open files may keep leftovers.
  if (!unlinked(path)) removeLeftovers(parent, PURPOSE);
  return {
    name,
    descriptor,
    close: () => {
      try {
        world.disk.closeSync(descriptor);
      } catch {
        // Nobody needs its bytes any more.
      }
      unlinked(path);
    },
  };
}

function unlinked(path: string): boolean {
  try {
    world.disk.unlinkSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') return false;
  }
  forgetTemporaryFile(path);
  return true;
}
