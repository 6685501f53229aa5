import { TurnedBuffers } from '../../../formats/files/turned-buffers.ts';
import type { PageBatch } from '../../../formats/pgm/page-batch.ts';
import { MIB, PAGE_SIZE } from '../../../formats/sizes.ts';
import { NOWHERE } from '../layout/placement.ts';

/** Output for an image, written at any offset. */
export interface RandomSink {
  /**
   * Writes borrowed bytes at a file offset. Bytes that are never written read as zeros.
   * @param hasOtherWork the caller prepares the next bytes meanwhile, so another thread may write these
   */
  writeAt(bytes: Uint8Array, offset: number, hasOtherWork?: boolean): Promise<void>;
}

/** Neighbouring pages are written together, up to this size; larger writes are several times slower. */
export const RUN_SIZE = MIB / 2;

/** Writes page contents to their places in an image, neighbours together. */
export class ImageRuns {
  readonly #target: RandomSink;
  readonly #size: number;
  readonly #runs = new TurnedBuffers(RUN_SIZE);
  #offset = 0;
  #length = 0;

  /** @param size bytes of the image; contents outside are left out */
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
        await this.#writeRun();
        this.#offset = offset;
      }
      batch.decode(i, this.#runs.bytes, this.#length);
      this.#length += PAGE_SIZE;
    }
  }

  /**
   * Puts decoded pages; `pages` holds the pages with a target, one after the other.
   * @param count entries of `targets`
   * @param pages borrowed until the next call has returned
   */
  async putDecoded(count: number, targets: Float64Array, pages: Uint8Array): Promise<void> {
    await this.#writeRun();
    let start = 0;
    let end = 0;
    for (let i = 0; i < count; i++) {
      const offset = targets[i];
      if (offset === NOWHERE) continue;
      if (offset !== this.#offset + (end - start) || end - start === RUN_SIZE) {
        await this.#writeBeside(pages.subarray(start, end));
        start = end;
        this.#offset = offset;
      }
      end += PAGE_SIZE;
    }
    await this.#writeBeside(pages.subarray(start, end));
  }

  /** Writes up to `RUN_SIZE` zeros. */
  async putZeros(offset: number, length: number): Promise<void> {
    await this.flush();
    this.#runs.bytes.fill(0, 0, length);
    await this.#write(offset, this.#runs.bytes.subarray(0, length));
  }

  /** Writes the gathered pages. */
  async flush(): Promise<void> {
    await this.#writeRun();
    await this.#runs.settle();
  }

  /** Gives the memory back, after the last flush. */
  release(): void {
    this.#runs.release();
  }

  /** Begins to write the gathered pages. */
  async #writeRun(): Promise<void> {
    const [offset, length] = [this.#offset, this.#length];
    this.#length = 0;
    if (length > 0) await this.#runs.write((run) => this.#write(offset, run.subarray(0, length)));
  }

  async #writeBeside(pages: Uint8Array): Promise<void> {
    const offset = this.#offset;
    await this.#runs.writeBeside(() => this.#write(offset, pages));
  }

  /** Writes bytes as far as they lie inside of the image. */
  async #write(offset: number, bytes: Uint8Array): Promise<void> {
    const first = Math.max(0, -offset);
    const end = Math.min(bytes.length, this.#size - offset);
    if (first < end) await this.#target.writeAt(bytes.subarray(first, end), offset + first, true);
  }
}
