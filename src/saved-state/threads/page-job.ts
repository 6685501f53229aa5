import type { CrcPiece } from '../../../formats/files/running-crc.ts';
import { memoryArena, WINDOW_SIZE } from '../../../formats/files/window.ts';
import { BATCH_BYTES, BATCH_CAPACITY, PageBatch } from '../../../formats/pgm/page-batch.ts';
import { PAGE_SIZE } from '../../../formats/sizes.ts';
import { Encoding } from '../../../formats/ssm/segments.ts';

/** free → ready → taken → done or bad → free. The thread that turns ready into taken does the work. */
export const JobState = { FREE: 0, READY: 1, TAKEN: 2, DONE: 3, BAD: 4 } as const;

/** Int32 fields of a job's head. */
const STATE = 0;
const ORDER = 1;
const COUNT = 2;
const SIZE = 3;
const RESULT = 4;
const SUMMED = 5;
const CRC = 6;
/** Float64 field: offset of the stretch in the file. */
const OFFSET_AT = 32;
const HEAD_SIZE = 40;
const JOB_SIZE = HEAD_SIZE + 8 * BATCH_CAPACITY;
/** Enough even if all pages are incompressible; unused parts take no memory. */
const RESULT_SIZE = BATCH_CAPACITY * PAGE_SIZE;

/** Memory of one job that all threads see. */
export interface SharedJob {
  head: SharedArrayBuffer;
  columns: SharedArrayBuffer;
  /** Result of the work; empty if there is none besides success or failure. */
  result: SharedArrayBuffer;
}

/**
 * A batch of pages for any thread to work on. It does not hold their bytes: the thread reads them from the file, which
 * is as fast as copying them, and costs no time in other threads.
 */
export class PageJob {
  readonly shared: SharedJob;
  /**
   * The records, shared by all threads; `at` counts from the start of the stretch, or of the result once there is one.
   */
  readonly pages: PageBatch;
  /** The records as `fill` got them; private to its thread. */
  readonly given = new PageBatch(memoryArena(new Uint8Array(0)));
  /** Nobody waits for the job any more. */
  isAbandoned = false;
  /** Receives the CRC. */
  piece: CrcPiece | undefined;
  /** Offset of each page in an image. */
  readonly targets: Float64Array;
  readonly result: Uint8Array;
  readonly #head: Int32Array;
  readonly #offset: Float64Array;

  constructor(shared: SharedJob) {
    this.shared = shared;
    this.#head = new Int32Array(shared.head, 0, OFFSET_AT / 4);
    this.#offset = new Float64Array(shared.head, OFFSET_AT, 1);
    this.targets = new Float64Array(shared.head, HEAD_SIZE, BATCH_CAPACITY);
    this.result = new Uint8Array(shared.result);
    this.pages = new PageBatch(memoryArena(this.result), shared.columns);
  }

  static allocate(hasResult: boolean): PageJob {
    const result = new SharedArrayBuffer(hasResult ? RESULT_SIZE : 0);
    return new PageJob({ head: new SharedArrayBuffer(JOB_SIZE), columns: new SharedArrayBuffer(BATCH_BYTES), result });
  }

  get state(): number {
    return Atomics.load(this.#head, STATE);
  }

  /** Lower numbers are to be done first. */
  get order(): number {
    return this.#head[ORDER];
  }

  /** The stretch of the file. */
  get offset(): number {
    return this.#offset[0];
  }
  get size(): number {
    return this.#head[SIZE];
  }

  /** Number of bytes at the end of the stretch whose CRC is wanted. */
  get summed(): number {
    return this.#head[SUMMED];
  }

  /** CRC-32 of those bytes. */
  get crc(): number {
    return this.#head[CRC] >>> 0;
  }
  set crc(crc: number) {
    this.#head[CRC] = crc;
  }

  /** Hands the CRC on, once it is known. */
  handOnCrc(): void {
    if (this.piece) this.piece.crc = this.crc;
    this.piece = undefined;
  }

  /** The result, with its bytes copied to `target` if there is room. */
  takeResult(target: Uint8Array): PageBatch {
    const size = this.#head[RESULT];
    if (size <= target.length) target.set(this.result.subarray(0, size));
    this.pages.window = memoryArena(size <= target.length ? target : this.result);
    return this.pages;
  }

  /**
   * Describes a batch whose bytes lie in the window on a file, and the bytes up to its end that the file's CRC still
   * needs. @returns false, without a change, if some bytes lie elsewhere
   */
  fill(batch: PageBatch, order: number): boolean {
    const { count, encoding, at, length, window } = batch;
    let start = WINDOW_SIZE;
    let end = 0;
    for (let i = 0; i < count; i++) {
      if (encoding[i] !== Encoding.RAW && encoding[i] !== Encoding.LZF) continue;
      if (at[i] < start) start = at[i];
      if (at[i] + length[i] > end) end = at[i] + length[i];
    }
    if (end > WINDOW_SIZE) return false;
    start = Math.min(start, end);
    const summed = window.crc?.needed(window.offsetOf(end)) ?? 0;
    start = Math.min(start, end - summed);
    const { given } = this;
    given.copyRecords(batch);
    for (let i = 0; i < count; i++) given.at[i] -= start;
    this.pages.copyRecords(given);
    this.#offset[0] = window.offsetOf(start);
    this.#head[ORDER] = order;
    this.#head[COUNT] = count;
    this.#head[SIZE] = end - start;
    this.#head[SUMMED] = summed;
    return true;
  }

  offer(): void {
    this.isAbandoned = false;
    Atomics.store(this.#head, STATE, JobState.READY);
  }

  /** Takes the job, unless another thread was quicker. */
  claim(): boolean {
    if (Atomics.compareExchange(this.#head, STATE, JobState.READY, JobState.TAKEN) !== JobState.READY) return false;
    this.pages.count = this.#head[COUNT];
    return true;
  }

  /** Notes the pages' places in the first `size` bytes of the result. */
  setResult(size: number, encoding: Uint8Array, at: Uint32Array, length: Uint32Array): void {
    this.#head[RESULT] = size;
    this.pages.encoding.set(encoding);
    this.pages.at.set(at);
    this.pages.length.set(length);
  }

  finish(isGood: boolean): void {
    Atomics.store(this.#head, STATE, isGood ? JobState.DONE : JobState.BAD);
    Atomics.notify(this.#head, STATE);
  }

  /** Frees the job, at once or as soon as its thread has finished. */
  free(): void {
    const { state } = this;
    if (state === JobState.TAKEN) this.isAbandoned = true;
    else Atomics.store(this.#head, STATE, JobState.FREE);
  }

  /** Whether the job can take another batch. */
  get isFree(): boolean {
    const { state } = this;
    return state === JobState.FREE || (this.isAbandoned && state !== JobState.TAKEN);
  }

  /** Blocks until the job's thread has finished. @returns false if that takes longer than `ms` */
  wait(ms: number): boolean {
    return Atomics.wait(this.#head, STATE, JobState.TAKEN, ms) !== 'timed-out';
  }
}
