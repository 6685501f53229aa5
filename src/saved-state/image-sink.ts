import { returnBuffer, takeBuffer } from '../../formats/kernels/arena.ts';
import type { PageBatch } from '../../formats/pgm/page-batch.ts';
import { Encoding } from '../../formats/ssm/segments.ts';
import { MIB, PAGE_SIZE } from '../../formats/units.ts';
import { FrameSet } from './frame-set.ts';
import { NOWHERE, type Placement } from './placement.ts';
import type { BatchClaims } from './threads/batch-claims.ts';
import type { PageSink } from './walk.ts';

/** What an image is written to. */
export interface RandomSink {
  /** Number of the file that it writes to, where it is one: other threads of the process can write to it, too. */
  readonly fd?: number;
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
  readonly #claims: BatchClaims | undefined;
  readonly #size: number;
  readonly #run = takeBuffer(RUN_SIZE);
  #runOffset = 0;
  #runLength = 0;
  /** Pages of the image that were written, by `slotOf`. */
  readonly #written = new FrameSet();

  /**
   * @param size bytes of the image; what would stand outside is left out
   * @param zeros whether pages of zeros are written or left as holes
   * @param claims where several threads write the same image, each the batches that it claims; all know what is written
   */
  constructor(target: RandomSink, placement: Placement, size: number, zeros: 'write' | 'skip', claims?: BatchClaims) {
    this.#target = target;
    this.#placement = placement;
    this.#size = size;
    this.#zeros = zeros;
    this.#claims = claims;
  }

  async take(batch: PageBatch): Promise<void> {
    const isOwn = this.#claims?.takesNext() ?? true;
    for (let i = 0; i < batch.count; i++) {
      const offset = this.#placement.offsetOf(batch, i);
      if (offset === NOWHERE) continue;
      const isZero = batch.encoding[i] === Encoding.NONE || batch.encoding[i] === Encoding.ZERO;
      // A later pass may turn a page that was written before into zeros.
      if (isZero && this.#zeros === 'skip' && !this.#written.has(slotOf(offset))) continue;
      this.#written.add(slotOf(offset));
      if (!isOwn) continue;
      if (offset !== this.#runOffset + this.#runLength || this.#runLength === RUN_SIZE) {
        await this.flush();
        this.#runOffset = offset;
      }
      batch.decode(i, this.#run, this.#runLength);
      this.#runLength += PAGE_SIZE;
    }
  }

  /** Writes zeros to the pages of `[start, end)` of the image that no record named; both are borders of pages. */
  async fillUnwritten(start: number, end: number): Promise<void> {
    await this.flush();
    this.#run.fill(0);
    for (let offset = start; offset < end; ) {
      let length = 0;
      while (length < RUN_SIZE && offset + length < end && !this.#written.has(slotOf(offset + length))) length += PAGE_SIZE;
      await this.#write(offset, length);
      offset += Math.max(length, PAGE_SIZE);
    }
  }

  /** Gives the memory back, after the last flush. */
  release(): void {
    returnBuffer(this.#run);
  }

  /** Writes what was gathered. */
  async flush(): Promise<void> {
    await this.#write(this.#runOffset, this.#runLength);
    this.#runLength = 0;
  }

  /** Writes the first `length` bytes of the run, as far as they lie inside of the image. */
  async #write(offset: number, length: number): Promise<void> {
    const first = Math.max(0, -offset);
    const end = Math.min(length, this.#size - offset);
    if (first < end) await this.#target.writeAt(this.#run.subarray(first, end), offset + first);
  }
}

/** Distinct for distinct pages, as they lie at least 4096 apart; the first may start before offset 0. */
function slotOf(offset: number): number {
  return Math.floor(offset / PAGE_SIZE) + 1;
}
