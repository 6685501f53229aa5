import { UnsupportedError } from '../../../formats/errors.ts';
import { isZero } from '../../../formats/kernels/zero.ts';
import { MAX_RAM } from '../../../formats/pgm/ranges.ts';
import { PAGE_SIZE } from '../../../formats/sizes.ts';

const CHUNK_SHIFT = 15;
const CHUNK_FRAMES = 1 << CHUNK_SHIFT;
/** Frames of a block, as `blockStarts` lists them. */
export const BLOCK_FRAMES = 256;
const BLOCK_BYTES = BLOCK_FRAMES / 8;
/** 4 KiB each for 128 MiB of guest memory: 64 MiB for the largest guest. */
const MAX_CHUNKS = MAX_RAM / PAGE_SIZE / CHUNK_FRAMES;

/** A set of page numbers: one bit a page, memory only for stretches that have any. */
export class FrameSet {
  size = 0;
  readonly #chunks = new Map<number, Uint8Array>();
  #lastKey = -1;
  #last: Uint8Array = new Uint8Array(0);

  /** @returns whether the page was new */
  add(frame: number): boolean {
    const chunk = this.#chunkOf(frame);
    const at = (frame & (CHUNK_FRAMES - 1)) >>> 3;
    const bit = 1 << (frame & 7);
    if ((chunk[at] & bit) !== 0) return false;
    chunk[at] |= bit;
    this.size++;
    return true;
  }

  remove(frame: number): void {
    if (!this.has(frame)) return;
    this.#chunkOf(frame)[(frame & (CHUNK_FRAMES - 1)) >>> 3] &= ~(1 << (frame & 7));
    this.size--;
  }

  /** First frames of the blocks that hold any. */
  blockStarts(): number[] {
    const starts: number[] = [];
    for (const [key, chunk] of this.#chunks)
      for (let at = 0; at < chunk.length; at += BLOCK_BYTES)
        if (!isZero(chunk, at, BLOCK_BYTES)) starts.push(key * CHUNK_FRAMES + 8 * at);
    return starts;
  }

  has(frame: number): boolean {
    const chunk = this.#chunks.get(Math.floor(frame / CHUNK_FRAMES));
    return chunk !== undefined && (chunk[(frame & (CHUNK_FRAMES - 1)) >>> 3] & (1 << (frame & 7))) !== 0;
  }

  #chunkOf(frame: number): Uint8Array {
    const key = Math.floor(frame / CHUNK_FRAMES);
    if (key === this.#lastKey) return this.#last;
    let chunk = this.#chunks.get(key);
    if (!chunk) {
      if (this.#chunks.size >= MAX_CHUNKS)
        throw new UnsupportedError(
          'too-much-memory',
          'Cannot track guest memory: pages are spread over more than 2 TiB',
        );
      chunk = new Uint8Array(CHUNK_FRAMES / 8);
      this.#chunks.set(key, chunk);
    }
    this.#lastKey = key;
    this.#last = chunk;
    return chunk;
  }
}
