import { closeSync, ftruncateSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EnvironmentError } from '../../../formats/errors.ts';
import type { RandomSink } from '../image-sink.ts';

/** Pages on disk for a while, to be read in another order than they come in. What is never written reads as zeros. */
export class Spool implements RandomSink {
  readonly #folder: string;
  readonly #file: number;

  constructor() {
    try {
      this.#folder = mkdtempSync(join(tmpdir(), 'savkit-spool-'));
      this.#file = openSync(join(this.#folder, 'pages'), 'wx+', 0o600);
    } catch (error) {
      throw EnvironmentError.from(error, 'make a temporary file');
    }
  }

  async writeAt(bytes: Uint8Array, offset: number): Promise<void> {
    try {
      for (let done = 0; done < bytes.length; ) done += writeSync(this.#file, bytes, done, bytes.length - done, offset + done);
    } catch (error) {
      throw EnvironmentError.from(error, 'write a temporary file');
    }
  }

  /** Fills `target` from `offset` on. */
  read(target: Uint8Array, offset: number): void {
    let done = 0;
    try {
      for (let count = 1; count > 0 && done < target.length; done += count) count = readSync(this.#file, target, done, target.length - done, offset + done);
    } catch (error) {
      throw EnvironmentError.from(error, 'read a temporary file');
    }
    target.fill(0, done);
  }

  close(): void {
    ftruncateSync(this.#file, 0);
    closeSync(this.#file);
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
