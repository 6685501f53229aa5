import type { PageBatch } from '../../formats/pgm/page-batch.ts';
import { Encoding } from '../../formats/ssm/segments.ts';
import { MIB, PAGE_SIZE } from '../../formats/units.ts';
import { FrameSet } from './frame-set.ts';
import type { Placement } from './placement.ts';
import type { PageSink } from './walk.ts';

/** What an image is written to. */
export interface RandomSink {
  /** Writes borrowed bytes at a file offset. What is never written reads as zeros. */
  writeAt(bytes: Uint8Array, offset: number): Promise<void>;
}

/** Neighbouring pages leave in one write of up to this size. */
const RUN_SIZE = MIB;

/** Writes page contents to their places in an image, neighbours together. */
export class ImageSink implements PageSink {
  readonly #target: RandomSink;
  readonly #placement: Placement;
  readonly #zeros: 'write' | 'skip';
  readonly #run = new Uint8Array(RUN_SIZE);
  #runOffset = 0;
  #runLength = 0;
  /** Pages of the image that were written, by offset ÷ 4096: distinct for distinct pages, as they lie at least 4096 apart. */
  readonly #written = new FrameSet();

  /** @param zeros whether pages of zeros are written or left as holes */
  constructor(target: RandomSink, placement: Placement, zeros: 'write' | 'skip') {
    this.#target = target;
    this.#placement = placement;
    this.#zeros = zeros;
  }

  async take(batch: PageBatch): Promise<void> {
    for (let i = 0; i < batch.count; i++) {
      const offset = this.#placement.offsetOf(batch, i);
      if (offset < 0) continue;
      const isZero = batch.encoding[i] === Encoding.NONE || batch.encoding[i] === Encoding.ZERO;
      // A later pass may turn a page that was written before into zeros.
      if (isZero && this.#zeros === 'skip' && !this.#written.has(Math.floor(offset / PAGE_SIZE))) continue;
      if (offset !== this.#runOffset + this.#runLength || this.#runLength === RUN_SIZE) {
        await this.flush();
        this.#runOffset = offset;
      }
      batch.decode(i, this.#run, this.#runLength);
      this.#runLength += PAGE_SIZE;
      this.#written.add(Math.floor(offset / PAGE_SIZE));
    }
  }

  /** Writes zeros to what no page record named within `[start, end)` of the image. */
  async fillUnwritten(start: number, end: number): Promise<void> {
    await this.flush();
    this.#run.fill(0);
    for (let offset = start; offset < end; ) {
      let length = 0;
      while (length < RUN_SIZE && offset + length < end && !this.#written.has(Math.floor((offset + length) / PAGE_SIZE))) length += PAGE_SIZE;
      if (length > 0) await this.#target.writeAt(this.#run.subarray(0, Math.min(length, end - offset)), offset);
      offset += Math.max(length, PAGE_SIZE);
    }
  }

  /** Writes what was gathered. */
  async flush(): Promise<void> {
    if (this.#runLength > 0) await this.#target.writeAt(this.#run.subarray(0, this.#runLength), this.#runOffset);
    this.#runLength = 0;
  }
}
