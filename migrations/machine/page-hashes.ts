import { xxh64Batch } from '../../formats/kernels/xxh64.ts';
import { isZero } from '../../formats/kernels/zero.ts';
import { PAGE_SIZE } from '../../formats/sizes.ts';

/**
 * A hash of 64 bits for each page; 0 stands for a page of zeros. Hashes are compared as pairs of 32-bit words, which,
 * unlike BigInts, allocate nothing.
 */
export class PageHashes {
  /** Number of pages. */
  readonly pageCount: number;
  /** Two words for each page, the low word first. */
  readonly words: Uint32Array;
  readonly #hashes: BigUint64Array;

  /** All zeros at first. @param pageCount pages that there are, numbered from 0 */
  constructor(pageCount: number) {
    this.pageCount = pageCount;
    // The memory is shared with threads that hash pages.
    this.#hashes = new BigUint64Array(new SharedArrayBuffer(pageCount * 8));
    this.words = new Uint32Array(this.#hashes.buffer);
  }

  /** Sets the hash of a page to hash number `from` in `words`. */
  set(page: number, words: Uint32Array, from: number): void {
    this.words[page * 2] = words[from * 2];
    this.words[page * 2 + 1] = words[from * 2 + 1];
  }

  /** Sets the hash of a page to 0, for zeros. */
  setZero(page: number): void {
    this.words[page * 2] = 0;
    this.words[page * 2 + 1] = 0;
  }

  /** Whether the hash of a page equals hash number `from` in `words`. */
  is(page: number, words: Uint32Array, from: number): boolean {
    return this.words[page * 2] === words[from * 2] && this.words[page * 2 + 1] === words[from * 2 + 1];
  }

  /** Whether a page is one of zeros. */
  isZero(page: number): boolean {
    return (this.words[page * 2] | this.words[page * 2 + 1]) === 0;
  }
}

/** Offsets of `count` pages that lie one after the other from `start` on. */
export function pageOffsets(count: number, start = 0): Uint32Array {
  return Uint32Array.from({ length: count }, (_, i) => start + i * PAGE_SIZE);
}

/** Hashes of up to `capacity` pages that lie in one buffer; a page of zeros has hash 0. */
export class HashBatch {
  readonly words: Uint32Array;
  readonly #hashes: BigUint64Array;
  /** Indices and offsets of the pages that are not zeros. */
  readonly #others: Uint32Array;
  readonly #at: Uint32Array;

  constructor(capacity: number) {
    this.#hashes = new BigUint64Array(capacity);
    this.words = new Uint32Array(this.#hashes.buffer);
    this.#others = new Uint32Array(capacity);
    this.#at = new Uint32Array(capacity);
  }

  /** Hashes the pages at `at[0]` to `at[count - 1]`. Zeros are found in a quarter of the time that hashing takes. */
  hash(bytes: Uint8Array, at: Uint32Array, count: number): void {
    let others = 0;
    for (let i = 0; i < count; i++) {
      if (isZero(bytes, at[i], PAGE_SIZE)) continue;
      this.#others[others] = i;
      this.#at[others++] = at[i];
    }
    xxh64Batch(bytes, this.#at, PAGE_SIZE, others, this.#hashes);
    if (others < count) this.#spread(others, count);
  }

  /** Moves the hashes of pages that are not zeros to their places, the last one first, and fills up with zeros. */
  #spread(others: number, count: number): void {
    for (let i = count - 1, from = others - 1; i >= 0; i--) {
      const isOther = from >= 0 && this.#others[from] === i;
      this.words[i * 2] = isOther ? this.words[from * 2] : 0;
      this.words[i * 2 + 1] = isOther ? this.words[from * 2 + 1] : 0;
      if (isOther) from--;
    }
  }

  isZero(i: number): boolean {
    return (this.words[i * 2] | this.words[i * 2 + 1]) === 0;
  }
}
