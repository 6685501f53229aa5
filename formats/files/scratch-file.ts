import { tmpdir } from 'node:os';
import { EnvironmentError } from '../errors.ts';
import { world } from '../world/world.ts';
import { closeFile, forgetTemporaryFile, nameTemporaryFile, removeLeftovers } from './temporary-files.ts';

/** A temporary file that only this process can open, and that vanishes with the process. */
export interface ScratchFile {
  /** Name for error messages, with the folder, whose disk may be full. */
  readonly name: string;
  /** For reading and writing anywhere. */
  readonly descriptor: number;
  close(): void;
}

const PURPOSE = 'savkit-scratch';

/** @param parent folder for the file @throws EnvironmentError */
export function openScratchFile(parent = tmpdir()): ScratchFile {
  const name = `a temporary file in ${parent}`;
  const unnamed = world.disk.openUnnamedSync(parent);
  return unnamed === undefined
    ? openNamed(parent, name)
    : { name, descriptor: unnamed, close: () => closeFile(unnamed) };
}

/** Opens a file on a system where each file begins with a name. */
function openNamed(parent: string, name: string): ScratchFile {
  const path = nameTemporaryFile(parent, PURPOSE);
  let descriptor: number;
  try {
    descriptor = world.disk.openSync(path, 'wx+', 0o600);
  } catch (cause) {
    forgetTemporaryFile(path);
    throw EnvironmentError.from(cause, `make ${name}`);
  }
  // Unlinked, the file lives on under its descriptor, and a killed process leaves nothing behind; an empty file, if it
  // is killed right before. Systems that cannot unlink open files may keep leftovers.
  if (!unlinked(path)) removeLeftovers(parent, PURPOSE);
  return {
    name,
    descriptor,
    close: () => {
      closeFile(descriptor);
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
