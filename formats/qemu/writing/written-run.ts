import type { SeekableSink } from '../../files/sink.ts';
import { returnBuffer, takeBuffer } from '../../kernels/arena.ts';
import { MIB, PAGE_SIZE } from '../../sizes.ts';

/** Buffer for neighbouring pages of a file, to be written together. */
export class WrittenRun {
  readonly bytes = takeBuffer(MIB);
  /** Bytes in use. */
  length = 0;
  readonly #sink: SeekableSink;
  /** Offset of the first page in the file. */
  #start = 0;

  constructor(sink: SeekableSink) {
    this.#sink = sink;
  }

  /** Whether a page with this offset in the file can be added without `flush`. */
  continuesAt(offset: number): boolean {
    return this.length === 0 || (offset === this.#start + this.length && this.length < MIB);
  }

  /** Adds the page at the end of `bytes`. */
  add(offset: number): void {
    if (this.length === 0) this.#start = offset;
    this.length += PAGE_SIZE;
  }

  async flush(): Promise<void> {
    const { length } = this;
    this.length = 0;
    if (length > 0) await this.#sink.writeAt(this.bytes.subarray(0, length), this.#start);
  }

  /** Gives the memory back. */
  release(): void {
    returnBuffer(this.bytes);
  }
}
