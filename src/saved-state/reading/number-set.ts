import type { UnsupportedError } from '../../../formats/errors.ts';
import { isZero } from '../../../formats/kernels/zero.ts';

/** Numbers in a chunk; its bitmap takes 4 KiB. */
export const CHUNK = 1 << 15;
const CHUNK_BYTES = CHUNK / 8;
/** Numbers in a block of `blockStarts`. */
export const BLOCK = 256;
const BLOCK_BYTES = BLOCK / 8;
/** 64 MiB of memory. */
const MAX_CHUNKS = 2 ** 14;

/** A bitmap of neighbouring numbers. */
interface Chunk {
  bits: Uint8Array;
  /** Number of set bits. */
  count: number;
}

/** The bitmap of every full chunk. */
const FULL = new Uint8Array(CHUNK_BYTES).fill(0xff);

/**
 * A set of numbers from 0 on, for numbers that mostly form runs. Only partly filled chunks take memory, one bit a
 * number, so a state with records of all pages may be of any size.
 */
export class NumberSet {
  size = 0;
  readonly #chunks = new Map<number, Chunk>();
  readonly #tooFarApart: () => UnsupportedError;
  readonly #maxChunks: number;
  #partial = 0;
  #lastKey = -1;
  #last: Chunk = { bits: FULL, count: 0 };

  /**
   * @param tooFarApart makes the error for numbers that would take too much memory
   * @param maxChunks maximum number of chunks that are partly filled
   */
  constructor(tooFarApart: () => UnsupportedError, maxChunks = MAX_CHUNKS) {
    this.#tooFarApart = tooFarApart;
    this.#maxChunks = maxChunks;
  }

  /** @returns whether the number was new */
  add(number: number): boolean {
    const chunk = this.#chunkOf(number);
    const at = (number & (CHUNK - 1)) >>> 3;
    const bit = 1 << (number & 7);
    if ((chunk.bits[at] & bit) !== 0) return false;
    chunk.bits[at] |= bit;
    this.size++;
    if (++chunk.count === CHUNK) {
      chunk.bits = FULL;
      this.#partial--;
    }
    return true;
  }

  remove(number: number): void {
    if (!this.has(number)) return;
    const chunk = this.#chunkOf(number);
    if (chunk.bits === FULL) {
      this.#checkRoom();
      chunk.bits = FULL.slice();
    }
    chunk.bits[(number & (CHUNK - 1)) >>> 3] &= ~(1 << (number & 7));
    chunk.count--;
    this.size--;
  }

  /** First numbers of the blocks that are not empty. */
  blockStarts(): number[] {
    const starts: number[] = [];
    for (const [key, { bits }] of this.#chunks)
      for (let at = 0; at < bits.length; at += BLOCK_BYTES)
        if (!isZero(bits, at, BLOCK_BYTES)) starts.push(key * CHUNK + 8 * at);
    return starts;
  }

  /** All numbers, ascending within each block. */
  *numbers(): Generator<number> {
    for (const start of this.blockStarts())
      for (let number = start; number < start + BLOCK; number++) if (this.has(number)) yield number;
  }

  has(number: number): boolean {
    const chunk = this.#chunks.get(Math.floor(number / CHUNK));
    return chunk !== undefined && (chunk.bits[(number & (CHUNK - 1)) >>> 3] & (1 << (number & 7))) !== 0;
  }

  /** The least number of the set from `from` on that is less than `end`; `end` where there is none. */
  next(from: number, end: number): number {
    for (let at = from; at < end; ) {
      const key = Math.floor(at / CHUNK);
      const stop = Math.min(end, (key + 1) * CHUNK);
      if (this.#chunks.has(key)) for (; at < stop; at++) if (this.has(at)) return at;
      // Numbers from a file may lie far apart, so whole chunks are skipped.
      at = this.#chunks.has(key + 1) ? stop : this.#nextKey(key) * CHUNK;
    }
    return end;
  }

  #nextKey(key: number): number {
    let next = Number.POSITIVE_INFINITY;
    for (const other of this.#chunks.keys()) if (other > key && other < next) next = other;
    return next;
  }

  #chunkOf(number: number): Chunk {
    const key = Math.floor(number / CHUNK);
    if (key === this.#lastKey) return this.#last;
    let chunk = this.#chunks.get(key);
    if (!chunk) {
      this.#checkRoom();
      chunk = { bits: new Uint8Array(CHUNK_BYTES), count: 0 };
      this.#chunks.set(key, chunk);
    }
    this.#lastKey = key;
    this.#last = chunk;
    return chunk;
  }

  /** Counts one more chunk that takes memory. */
  #checkRoom(): void {
    if (this.#partial >= this.#maxChunks) throw this.#tooFarApart();
    this.#partial++;
  }
}
