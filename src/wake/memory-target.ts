import type { ImageTarget } from '../saved-state/extract/extract.ts';

const FIRST_SIZE = 1 << 20;

/** An image in memory, which grows with each write. */
export class Memory implements ImageTarget {
  #bytes = new Uint8Array(FIRST_SIZE);

  async writeAt(bytes: Uint8Array, position: number): Promise<void> {
    this.#reach(position + bytes.length);
    this.#bytes.set(bytes, position);
  }

  async truncate(size: number): Promise<void> {
    this.#reach(size);
  }

  /** Bytes, borrowed; zeros where nothing was written. */
  at(position: number, length: number): Uint8Array {
    this.#reach(position + length);
    return this.#bytes.subarray(position, position + length);
  }

  #reach(size: number): void {
    if (size <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(size, 2 * this.#bytes.length));
    larger.set(this.#bytes);
    this.#bytes = larger;
  }
}
