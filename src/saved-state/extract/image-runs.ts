import { returnBuffer, takeBuffer } from '../../../formats/kernels/arena.ts';
import type { PageBatch } from '../../../formats/pgm/page-batch.ts';
import { MIB, PAGE_SIZE } from '../../../formats/sizes.ts';
import { NOWHERE } from '../layout/placement.ts';

/** What an image is written to. */
export interface RandomSink {
  /** Writes borrowed bytes at a file offset. What is never written reads as zeros. */
  writeAt(bytes: Uint8Array, offset: number): Promise<void>;
}

/** Neighbouring pages leave in one write of up to this size. Larger ones take several times as long. */
export const RUN_SIZE = MIB / 2;

/** Writes page contents to their places in an image, neighbours together. */
export class ImageRuns {
  readonly #target: RandomSink;
  readonly #size: number;
  readonly #run = takeBuffer(RUN_SIZE);
  #offset = 0;
  #length = 0;

  /** @param size bytes of the image; what would stand outside is left out */
  constructor(target: RandomSink, size: number) {
    this.#target = target;
    this.#size = size;
  }

  /** @param targets where each page belongs; `NOWHERE` for none */
  async putAll(batch: PageBatch, targets: Float64Array): Promise<void> {
    for (let i = 0; i < batch.count; i++) {
      const offset = targets[i];
      if (offset === NOWHERE) continue;
      if (offset !== this.#offset + this.#length || this.#length === RUN_SIZE) {
        await this.flush();
        this.#offset = offset;
      }
      batch.decode(i, this.#run, this.#length);
      this.#length += PAGE_SIZE;
    }
  }

  /**
   * The same of pages that stand decoded one after the other: those that have a target.
   * @param count entries of `targets`
   */
  async putDecoded(count: number, targets: Float64Array, pages: Uint8Array): Promise<void> {
    await this.flush();
    let start = 0;
    let end = 0;
    for (let i = 0; i < count; i++) {
      const offset = targets[i];
      if (offset === NOWHERE) continue;
      if (offset !== this.#offset + (end - start) || end - start === RUN_SIZE) {
        await this.#write(this.#offset, pages.subarray(start, end));
        start = end;
        this.#offset = offset;
      }
      end += PAGE_SIZE;
    }
    await this.#write(this.#offset, pages.subarray(start, end));
  }

  /** Writes up to `RUN_SIZE` zeros. */
  async putZeros(offset: number, length: number): Promise<void> {
    await this.flush();
    this.#run.fill(0, 0, length);
    await this.#write(offset, this.#run.subarray(0, length));
  }

  /** Writes what was gathered. */
  async flush(): Promise<void> {
    await this.#write(this.#offset, this.#run.subarray(0, this.#length));
    this.#length = 0;
  }

  /** Gives the memory back, after the last flush. */
  release(): void {
    returnBuffer(this.#run);
  }

  /** Writes bytes as far as they lie inside of the image. */
  async #write(offset: number, bytes: Uint8Array): Promise<void> {
    const first = Math.max(0, -offset);
    const end = Math.min(bytes.length, this.#size - offset);
    if (first < end) await this.#target.writeAt(bytes.subarray(first, end), offset + first);
  }
}
