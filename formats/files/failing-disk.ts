import { ReadableParts, type Stretch } from './readable-parts.ts';
import type { ByteSource } from './source.ts';

/**
 * Byte in place of unreadable ones: no JSON holds it, so that no description with a hole passes for a whole one.
 */
export const HOLE = 0x01;

/** Knowledge about a failing disk, for several readings one after the other: no bad block is tried again. */
export class FailingDisk {
  readonly #signal: AbortSignal | undefined;
  #parts: ReadableParts | undefined;

  /** @param signal ends long work on bad blocks */
  constructor(signal?: AbortSignal) {
    this.#signal = signal;
  }

  /** @param source the same bytes at each call */
  partsOf(source: ByteSource): ReadableParts {
    this.#parts ??= new ReadableParts(source, this.#signal);
    return this.#parts;
  }

  /** Stretches that turned out to be unreadable, in order. */
  get unreadable(): readonly Stretch[] {
    return this.#parts?.unreadable ?? [];
  }
}
