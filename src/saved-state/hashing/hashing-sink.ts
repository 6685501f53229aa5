import { returnBuffer, takeBuffer } from '../../../formats/kernels/arena.ts';
import { xxh64Batch } from '../../../formats/kernels/xxh64.ts';
import { isZero } from '../../../formats/kernels/zero.ts';
import { BATCH_CAPACITY, type PageBatch, PageKind } from '../../../formats/pgm/page-batch.ts';
import type { PageSink } from '../../../formats/pgm/page-sink.ts';
import { MIB, PAGE_SIZE } from '../../../formats/sizes.ts';
import { Encoding } from '../../../formats/ssm/segments.ts';
import type { FrameSet } from '../reading/frame-set.ts';
import type { NamedPage, RangeNaming } from '../reading/state-view.ts';
import { SpanHashes } from './span-hashes.ts';

/**
 * `content`: hashes of pages. `encoded`: hashes of pages as they are stored, which is faster; where they are equal,
 * pages are equal.
 */
export type Hashed = 'content' | 'encoded';

/** By name of the range. */
export type PagesByRange = ReadonlyMap<string, FrameSet>;

/** Pages that are decoded before they are hashed together. */
const GROUP = MIB / PAGE_SIZE;

/** Hashes the pages of a state; of several copies of a page, the last one counts. */
export class HashingSink implements PageSink {
  /** By name of the range. */
  readonly memory = new Map<string, SpanHashes>();
  readonly #naming: RangeNaming;
  readonly #of: Hashed;
  readonly #like: ReadonlyMap<string, SpanHashes> | undefined;
  readonly #only: PagesByRange | undefined;
  readonly #pages = takeBuffer(GROUP * PAGE_SIZE);
  /** Entries of the batch whose hashes are due, and places of their bytes. */
  readonly #entries = new Uint32Array(GROUP);
  readonly #at = new Uint32Array(GROUP);
  readonly #length = new Uint32Array(GROUP);
  readonly #hashes = new BigUint64Array(GROUP);
  /** The hashes again, as pairs of words. */
  readonly #words = new Uint32Array(this.#hashes.buffer);
  /** By entry of the batch, two words each; 0 for zeros. */
  readonly #results = new Uint32Array(2 * BATCH_CAPACITY);
  #due = 0;
  #lastRange: string | undefined;
  #last = new SpanHashes();

  /**
   * @param like hashes of similar memory; equal hashes take no room
   * @param only pages that are hashed; the others count as zeros
   */
  constructor(naming: RangeNaming, of: Hashed, like?: ReadonlyMap<string, SpanHashes>, only?: PagesByRange) {
    this.#naming = naming;
    this.#of = of;
    this.#like = like;
    this.#only = only;
  }

  /** Gives the memory back. */
  release(): void {
    returnBuffer(this.#pages);
  }

  take(batch: PageBatch): void {
    if (this.#of === 'encoded') batch.walk();
    const { count, encoding, kind } = batch;
    const results = this.#results;
    results.fill(0, 0, 2 * count);
    for (let i = 0; i < count; i++) {
      if (encoding[i] === Encoding.NONE || encoding[i] === Encoding.ZERO || this.#isLeftOut(batch, i)) continue;
      this.#place(batch, i);
      if (this.#due === GROUP) this.#hash(batch);
    }
    this.#hash(batch);
    for (let i = 0; i < count; i++) {
      const named = kind[i] === PageKind.ROM_PROTECTION ? undefined : this.#nameOf(batch, i);
      if (named) this.#hashesOf(named.range).setWords(named.page, results[2 * i], results[2 * i + 1]);
    }
  }

  #nameOf({ kind, id, page }: PageBatch, i: number): NamedPage | undefined {
    return this.#naming(kind[i], id[i], page[i]);
  }

  #isLeftOut(batch: PageBatch, i: number): boolean {
    if (!this.#only) return false;
    const named = this.#nameOf(batch, i);
    return !named || !this.#only.get(named.range)?.has(named.page);
  }

  /** Queues record `i` for hashing, unless it holds zeros. */
  #place(batch: PageBatch, i: number): void {
    const due = this.#due;
    if (this.#of === 'encoded') {
      this.#at[due] = batch.at[i];
      this.#length[due] = batch.length[i];
    } else {
      const at = due * PAGE_SIZE;
      batch.decode(i, this.#pages, at);
      if (isZero(this.#pages, at, PAGE_SIZE)) return;
      this.#at[due] = at;
    }
    this.#entries[due] = i;
    this.#due++;
  }

  #hash(batch: PageBatch): void {
    const encoded = this.#of === 'encoded';
    if (encoded) xxh64Batch(batch.window.bytes, this.#at, this.#length, this.#due, this.#hashes);
    else xxh64Batch(this.#pages, this.#at, PAGE_SIZE, this.#due, this.#hashes);
    for (let k = 0; k < this.#due; k++) {
      const i = this.#entries[k];
      // A compressed block as long as a page must not have the same hash as these bytes stored raw.
      const isAsLong = encoded && batch.encoding[i] !== Encoding.RAW && this.#length[k] === PAGE_SIZE;
      this.#results[2 * i] = isAsLong ? this.#words[2 * k] ^ 1 : this.#words[2 * k];
      this.#results[2 * i + 1] = this.#words[2 * k + 1];
    }
    this.#due = 0;
  }

  #hashesOf(range: string): SpanHashes {
    if (range === this.#lastRange) return this.#last;
    const hashes = this.memory.get(range) ?? new SpanHashes(this.#like?.get(range));
    this.memory.set(range, hashes);
    this.#lastRange = range;
    this.#last = hashes;
    return hashes;
  }
}
