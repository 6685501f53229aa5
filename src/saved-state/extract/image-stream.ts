import type { ByteSink } from '../../../formats/files/sink.ts';
import { returnBuffer, takeBuffer } from '../../../formats/kernels/arena.ts';
import { MIB, PAGE_SIZE } from '../../../formats/sizes.ts';

/** An image that is written front to back; gaps between its pieces are zeros. */
export class ImageStream {
  /** Bytes of the image so far. */
  position = 0;
  readonly #sink: ByteSink;
  readonly #size: number;
  readonly #onPiece: (position: number) => void;
  readonly #buffer = takeBuffer(MIB);
  #used = 0;

  /**
   * @param size bytes of the image; bytes beyond are left out @param onPiece called after each piece that was written;
   * may throw
   */
  constructor(sink: ByteSink, size: number, onPiece: (position: number) => void) {
    this.#sink = sink;
    this.#size = size;
    this.#onPiece = onPiece;
  }

  /** Adds bytes at an offset not before `position`; bytes before the image are left out. */
  async put(offset: number, bytes: Uint8Array): Promise<void> {
    await this.fillTo(offset);
    for (let done = Math.max(0, -offset); done < bytes.length && this.position < this.#size; ) {
      const count = await this.#room(bytes.length - done);
      this.#buffer.set(bytes.subarray(done, done + count), this.#used);
      this.#advance(count);
      done += count;
    }
  }

  /** Adds a page, which `load` writes into a buffer. */
  async putPage(
    offset: number,
    page: Uint8Array,
    load: (target: Uint8Array, to: number) => Promise<void>,
  ): Promise<void> {
    await this.fillTo(offset);
    const isWhole = offset >= 0 && this.position + PAGE_SIZE <= this.#size;
    if (isWhole && (await this.#room(PAGE_SIZE)) === PAGE_SIZE) {
      await load(this.#buffer, this.#used);
      this.#advance(PAGE_SIZE);
    } else {
      await load(page, 0);
      await this.put(offset, page);
    }
  }

  /** Adds zeros up to an offset. */
  async fillTo(offset: number): Promise<void> {
    const end = Math.min(offset, this.#size);
    while (this.position < end) {
      const count = await this.#room(end - this.position);
      this.#buffer.fill(0, this.#used, this.#used + count);
      this.#advance(count);
    }
  }

  /** Adds zeros up to the end of the image, and writes all buffered bytes. */
  async end(): Promise<void> {
    await this.fillTo(this.#size);
    await this.#flush();
    returnBuffer(this.#buffer);
  }

  /** Number of bytes, up to `wanted`, for which buffer and image have room; never 0 before the end of the image. */
  async #room(wanted: number): Promise<number> {
    if (this.#used === this.#buffer.length) await this.#flush();
    return Math.min(wanted, this.#buffer.length - this.#used, this.#size - this.position);
  }

  #advance(count: number): void {
    this.#used += count;
    this.position += count;
  }

  async #flush(): Promise<void> {
    await this.#sink.write(this.#buffer.subarray(0, this.#used));
    this.#used = 0;
    this.#onPiece(this.position);
  }
}
