import { BATCH_CAPACITY, type PageBatch } from '../../../formats/pgm/page-batch.ts';
import type { PageSink } from '../../../formats/pgm/page-sink.ts';
import { PAGE_SIZE } from '../../../formats/sizes.ts';
import { Encoding } from '../../../formats/ssm/segments.ts';
import { Turns } from '../../../formats/turns.ts';
import { NOWHERE, type Placement, slotOf } from '../layout/placement.ts';
import { FrameSet } from '../reading/frame-set.ts';
import type { Crew } from '../threads/crew.ts';
import { ImageRuns, type RandomSink, RUN_SIZE } from '../threads/image-runs.ts';

/** Writes the pages of a state to an image. */
export class ImageSink implements PageSink {
  readonly #placement: Placement;
  readonly #zeros: 'write' | 'skip';
  readonly #crew: Crew | undefined;
  readonly #runs: ImageRuns;
  /** By entry of a batch. */
  readonly #targets = new Float64Array(BATCH_CAPACITY);
  /** Pages of the image that were written, by `slotOf`. */
  readonly #written = new FrameSet();

  /**
   * @param size bytes of the image; what would stand outside is left out
   * @param zeros whether pages of zeros are written or left as holes
   * @param crew other threads that write a share of the batches
   */
  constructor(target: RandomSink, placement: Placement, size: number, zeros: 'write' | 'skip', crew?: Crew) {
    this.#placement = placement;
    this.#zeros = zeros;
    this.#crew = crew;
    this.#runs = new ImageRuns(target, size);
  }

  async take(batch: PageBatch): Promise<void> {
    const targets = this.#targets;
    for (let i = 0; i < batch.count; i++) targets[i] = this.#place(batch, i);
    if (!this.#crew?.take(batch, targets)) await this.#runs.putAll(batch, targets);
  }

  /**
   * Writes zeros to the pages of `[start, end)` of the image that no record named; both are borders of pages. @throws
   * InterruptedError
   */
  async fillUnwritten(
    start: number,
    end: number,
    signal?: AbortSignal,
    onProgress?: (offset: number) => void,
  ): Promise<void> {
    const turns = Turns.rare(signal);
    for (let offset = start; offset < end; ) {
      let length = 0;
      while (length < RUN_SIZE && offset + length < end && !this.#written.has(slotOf(offset + length)))
        length += PAGE_SIZE;
      // Most pages have been written: to wait for nothing a quarter million times costs memory.
      if (length > 0) await this.#runs.putZeros(offset, length);
      offset += Math.max(length, PAGE_SIZE);
      if (!turns.areDue) continue;
      onProgress?.(offset);
      await turns.give();
    }
  }

  /** Writes what was gathered. */
  flush(): Promise<void> {
    return this.#runs.flush();
  }

  /** Gives the memory back, after the last flush. */
  release(): void {
    this.#runs.release();
  }

  /** Where record `i` is to be written, which is then noted; `NOWHERE` where it is not. */
  #place(batch: PageBatch, i: number): number {
    const offset = this.#placement.offsetOf(batch, i);
    if (offset === NOWHERE) return NOWHERE;
    const isZero = batch.encoding[i] === Encoding.NONE || batch.encoding[i] === Encoding.ZERO;
    // A later pass may turn a page that was written before into zeros.
    if (isZero && this.#zeros === 'skip' && !this.#written.has(slotOf(offset))) return NOWHERE;
    this.#written.add(slotOf(offset));
    return offset;
  }
}
