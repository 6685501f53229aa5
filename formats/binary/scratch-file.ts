import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EnvironmentError } from '../errors.ts';

/** A file for bytes on their way, which nobody but this process can open and which is gone with it. */
export interface ScratchFile {
  /** For reading and writing anywhere. */
  readonly descriptor: number;
  close(): void;
}

/** @param parent folder for it @throws EnvironmentError */
export function openScratchFile(parent = tmpdir()): ScratchFile {
  try {
    const folder = mkdtempSync(join(parent, 'savkit-scratch-'));
    const descriptor = openSync(join(folder, 'bytes'), 'wx+', 0o600);
    const remove = () => rmSync(folder, { recursive: true, force: true });
    // The file lives on under its descriptor, and a killed process leaves nothing behind. Windows removes it at close.
    if (process.platform !== 'win32') remove();
    return {
      descriptor,
      close: () => {
        closeSync(descriptor);
        remove();
      },
    };
  } catch (cause) {
    throw EnvironmentError.from(cause, `make a temporary file in ${parent}`);
  }
}
