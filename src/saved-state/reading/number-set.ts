import { UnsupportedError } from '../../../formats/errors.ts';
import { isZero } from '../../../formats/kernels/zero.ts';
import { MAX_RAM } from '../../../formats/pgm/ranges.ts';
import { PAGE_SIZE } from '../../../formats/sizes.ts';

const CHUNK_SHIFT = 15;
const CHUNK_FRAMES = 1 << CHUNK_SHIFT;
const CHUNK_BYTES = CHUNK_FRAMES / 8;
/** Frames of a block, as `blockStarts` lists them. */
export const BLOCK_FRAMES = 256;
const BLOCK_BYTES = BLOCK_FRAMES / 8;
/** 4 KiB each for 128 MiB of guest memory: 64 MiB for the largest guest. */
const MAX_CHUNKS = MAX_RAM / PAGE_SIZE / CHUNK_FRAMES;

/** One bit for each of neighbouring pages. */
interface Chunk {
  bits: Uint8Array;
  /** How many are set. */
  count: number;
}

/** Bits that all full chunks share. */
const FULL = new Uint8Array(CHUNK_BYTES).fill(0xff);

/**
 * A set of page numbers: one bit a page, memory only for stretches that have some pages and lack others; so a file that
 * names all pages of a guest may be as large as it likes.
 */
export class FrameSet {
  size = 0;
  readonly #chunks = new Map<number, Chunk>();
  readonly #maxChunks: number;
  #partial = 0;
  #lastKey = -1;
  #last: Chunk = { bits: FULL, count: 0 };

  /** @param maxChunks of 128 MiB of guest memory each, that have some pages and lack others */
  constructor(maxChunks = MAX_CHUNKS) {
    this.#maxChunks = maxChunks;
  }

  /** @returns whether the page was new */
  add(frame: number): boolean {
    const chunk = this.#chunkOf(frame);
    const at = (frame & (CHUNK_FRAMES - 1)) >>> 3;
    const bit = 1 << (frame & 7);
    if ((chunk.bits[at] & bit) !== 0) return false;
    chunk.bits[at] |= bit;
    this.size++;
    if (++chunk.count === CHUNK_FRAMES) {
      chunk.bits = FULL;
      this.#partial--;
    }
    return true;
  }

  remove(frame: number): void {
    if (!this.has(frame)) return;
    const chunk = this.#chunkOf(frame);
    if (chunk.bits === FULL) {
      this.#checkRoom();
      chunk.bits = FULL.slice();
    }
    chunk.bits[(frame & (CHUNK_FRAMES - 1)) >>> 3] &= ~(1 << (frame & 7));
    chunk.count--;
    this.size--;
  }

  /** First frames of the blocks that hold any. */
  blockStarts(): number[] {
    const starts: number[] = [];
    for (const [key, { bits }] of this.#chunks)
      for (let at = 0; at < bits.length; at += BLOCK_BYTES)
        if (!isZero(bits, at, BLOCK_BYTES)) starts.push(key * CHUNK_FRAMES + 8 * at);
    return starts;
  }

  has(frame: number): boolean {
    const chunk = this.#chunks.get(Math.floor(frame / CHUNK_FRAMES));
    return chunk !== undefined && (chunk.bits[(frame & (CHUNK_FRAMES - 1)) >>> 3] & (1 << (frame & 7))) !== 0;
  }

  #chunkOf(frame: number): Chunk {
    const key = Math.floor(frame / CHUNK_FRAMES);
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
    if (this.#partial >= this.#maxChunks)
      throw new UnsupportedError('too-much-memory', 'Cannot track guest memory: pages are spread over more than 2 TiB');
    this.#partial++;
  }
}
