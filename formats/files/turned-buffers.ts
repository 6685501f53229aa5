import { returnBuffer, takeBuffer } from '../kernels/arena.ts';

/** Two buffers: one is filled while the other is on its way to a sink. */
export class TurnedBuffers {
  #filled: Uint8Array;
  #leaving: Uint8Array;
  #write: Promise<void> | undefined;

  /** @param size bytes of each */
  constructor(size: number) {
    this.#filled = takeBuffer(size);
    this.#leaving = takeBuffer(size);
  }

  /** The buffer to fill; another one after each `write`. */
  get bytes(): Uint8Array {
    return this.#filled;
  }

  /**
   * Begins to write from `bytes` once the write before has ended, and turns to the other buffer.
   * @throws whatever the write before has thrown
   */
  async write(begin: (bytes: Uint8Array) => Promise<void>): Promise<void> {
    await this.writeBeside(() => begin(this.#filled));
    [this.#filled, this.#leaving] = [this.#leaving, this.#filled];
  }

  /** Begins a write from other memory, which must stay as it is until the next call has returned. */
  async writeBeside(begin: () => Promise<void>): Promise<void> {
    await this.settle();
    this.#write = begin();
    // The handler keeps both buffers until the write has ended, even if nobody awaits the write any more. Callers that
    // await the write get its failure.
    this.#write.catch(() => this);
  }

  /** Waits for the last write. @throws whatever it has thrown */
  async settle(): Promise<void> {
    const write = this.#write;
    this.#write = undefined;
    await write;
  }

  /** Gives the memory back, as soon as nothing is written from it. */
  release(): void {
    const write = this.#write ?? Promise.resolve();
    const giveBack = () => {
      returnBuffer(this.#filled);
      returnBuffer(this.#leaving);
    };
    write.then(giveBack, giveBack);
  }
}
