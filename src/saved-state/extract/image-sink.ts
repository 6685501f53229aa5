import type { ByteSource } from '../../../formats/files/source.ts';
import { BATCH_CAPACITY, type PageBatch } from '../../../formats/pgm/page-batch.ts';
import type { PageSink } from '../../../formats/pgm/page-sink.ts';
import { KIB, PAGE_SIZE } from '../../../formats/sizes.ts';
import { Encoding } from '../../../formats/ssm/segments.ts';
import { Turns } from '../../../formats/turns.ts';
import { NOWHERE, type Placement, slotOf } from '../layout/placement.ts';
import { FrameSet } from '../reading/frame-set.ts';
import { BatchQueue } from '../threads/batch-queue.ts';
import { ImageRuns, type RandomSink, RUN_SIZE } from './image-runs.ts';

/**
 * Longest run of zero pages that is written rather than left as a hole: file systems are slow with files of very many
 * small holes.
 */
const SMALL_HOLE = (64 * KIB) / PAGE_SIZE;

/** Writes the pages of a state to an image. */
export class ImageSink implements PageSink {
  readonly #placement: Placement;
  readonly #zeros: 'write' | 'skip';
  readonly #queue: BatchQueue | undefined;
  readonly #runs: ImageRuns;
  /** By entry of a batch: the place of its page in the image. */
  readonly #places = new Float64Array(BATCH_CAPACITY);
  readonly #targets = new Float64Array(BATCH_CAPACITY);
  /** Pages of the image that were written, by `slotOf`. */
  readonly #written = new FrameSet();

  /**
   * @param size bytes of the image; pages beyond are left out
   * @param zeros whether pages of zeros are written; else they are holes
   * @param readers the state and the number of threads, for decoding by other threads
   */
  constructor(
    target: RandomSink,
    placement: Placement,
    size: number,
    zeros: 'write' | 'skip',
    readers?: { source: ByteSource; threads: number },
  ) {
    this.#placement = placement;
    this.#zeros = zeros;
    const runs = new ImageRuns(target, size);
    this.#runs = runs;
    this.#queue =
      readers &&
      new BatchQueue(readers.source, readers.threads, 'decode', {
        takeDone: ({ pages, targets, result }) => runs.putDecoded(pages.count, targets, result),
        takeUndone: (batch, targets = this.#targets) => runs.putAll(batch, targets),
      });
  }

  async take(batch: PageBatch): Promise<void> {
    for (let i = 0; i < batch.count; i++) this.#place(batch, i);
    if (this.#zeros === 'skip') this.#closeSmallHoles(batch.count);
    if (this.#queue) await this.#queue.put(batch, this.#targets);
    else await this.#runs.putAll(batch, this.#targets);
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
      // Mostly, no zeros are missing: a quarter million awaits of nothing would cost memory.
      if (length > 0) await this.#runs.putZeros(offset, length);
      offset += Math.max(length, PAGE_SIZE);
      if (!turns.areDue) continue;
      onProgress?.(offset);
      await turns.give();
    }
  }

  /** Writes the remaining pages. */
  async flush(): Promise<void> {
    await this.#queue?.drain();
    await this.#runs.flush();
  }

  /** Gives memory and threads back. */
  async release(): Promise<void> {
    await this.#queue?.close();
    this.#runs.release();
  }

  /** Determines the place of record `i` in the image, and marks its page as written; `NOWHERE` if it is not written. */
  #place(batch: PageBatch, i: number): void {
    const offset = this.#placement.offsetOf(batch, i);
    const isZero = batch.encoding[i] === Encoding.NONE || batch.encoding[i] === Encoding.ZERO;
    // A later pass may turn a written page into zeros, which must then be written.
    const isHole = isZero && this.#zeros === 'skip' && offset !== NOWHERE && !this.#written.has(slotOf(offset));
    this.#places[i] = offset;
    this.#targets[i] = isHole ? NOWHERE : offset;
    if (this.#targets[i] !== NOWHERE) this.#written.add(slotOf(offset));
  }

  /** Turns small holes between neighbouring pages into zeros to be written. */
  #closeSmallHoles(count: number): void {
    const [places, targets] = [this.#places, this.#targets];
    let holes = SMALL_HOLE;
    for (let i = 0; i < count; i++) {
      if (i > 0 && places[i] !== places[i - 1] + PAGE_SIZE) holes = SMALL_HOLE;
      if (targets[i] === NOWHERE) {
        holes++;
        continue;
      }
      if (holes < SMALL_HOLE)
        for (let k = i - holes; k < i; k++) {
          targets[k] = places[k];
          this.#written.add(slotOf(places[k]));
        }
      holes = 0;
    }
  }
}
