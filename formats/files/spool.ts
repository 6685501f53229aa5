import { EnvironmentError } from '../errors.ts';
import { world } from '../world/world.ts';
import { openScratchFile } from './scratch-file.ts';

/**
 * A temporary file of pages, which are read in another order than they are written. Parts that were never written read
 * as zeros.
 */
export class Spool {
  readonly #file = openScratchFile();

  async writeAt(bytes: Uint8Array, offset: number): Promise<void> {
    this.write(bytes, offset);
  }

  write(bytes: Uint8Array, offset: number): void {
    try {
      for (let done = 0; done < bytes.length; )
        done += world.disk.writeSync(this.#file.descriptor, bytes, done, bytes.length - done, offset + done);
    } catch (error) {
      throw EnvironmentError.from(error, `write ${this.#file.name}`);
    }
  }

  /** Fills `target` from `offset` on. */
  read(target: Uint8Array, offset: number): void {
    let done = 0;
    try {
      for (let count = 1; count > 0 && done < target.length; done += count)
        count = world.disk.readSync(this.#file.descriptor, target, done, target.length - done, offset + done);
    } catch (error) {
      throw EnvironmentError.from(error, `read ${this.#file.name}`);
    }
    target.fill(0, done);
  }

  close(): void {
    this.#file.close();
  }
}
