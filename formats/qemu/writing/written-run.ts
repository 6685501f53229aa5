import type { SeekableSink } from '../../files/sink.ts';
import { TurnedBuffers } from '../../files/turned-buffers.ts';
import { KIB, PAGE_SIZE } from '../../sizes.ts';

const CAPACITY = 512 * KIB;

/** Buffer for neighbouring pages of a file, to be written together. */
export class WrittenRun {
  readonly #buffers = new TurnedBuffers(CAPACITY);
  /** Another one after each `makeRoom` and `flush`. */
  bytes = this.#buffers.bytes;
  /** Bytes in use. */
  length = 0;
  readonly #sink: SeekableSink;
  /** Offset of the first page in the file. */
  #start = 0;

  constructor(sink: SeekableSink) {
    this.#sink = sink;
  }

  /** Whether a page with this offset in the file can be added without `makeRoom`. */
  continuesAt(offset: number): boolean {
    return this.length === 0 || (offset === this.#start + this.length && this.length < CAPACITY);
  }

  /** Adds the page at the end of `bytes`. */
  add(offset: number): void {
    if (this.length === 0) this.#start = offset;
    this.length += PAGE_SIZE;
  }

  /** Begins to write the pages. @throws whatever writing those before has thrown */
  async makeRoom(): Promise<void> {
    const { length } = this;
    const start = this.#start;
    this.length = 0;
    if (length === 0) return;
    await this.#buffers.write((bytes) => this.#sink.writeAt(bytes.subarray(0, length), start));
    this.bytes = this.#buffers.bytes;
  }

  /** Writes the pages. */
  async flush(): Promise<void> {
    await this.makeRoom();
    await this.#buffers.settle();
  }

  /** Gives the memory back. */
  release(): void {
    this.#buffers.release();
  }
}
