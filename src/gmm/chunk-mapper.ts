import type { Chunk } from './chunk.ts';
import { Slabs } from './slabs.ts';

/** Keeps the bytes of chunks, in memory or in a file. */
export interface ChunkMapper {
  /** Number of chunks in memory. */
  readonly mapped: number;
  readonly maxMapped: number;
  readonly misses: number;
  /** Address space reserved for chunks, in bytes, used or not. */
  readonly bytes: number;
  /** Makes a new chunk accessible; its bytes are zero. */
  add(chunk: Chunk): void;
  /** The bytes of a chunk, whose age becomes `JUST_USED`. For chunks of another age. */
  map(chunk: Chunk): Uint8Array;
  /** Drops the bytes of a chunk that is given back. */
  remove(chunk: Chunk): void;
  close(): void;
}

/** All chunks stay in memory. */
export class AllMapped implements ChunkMapper {
  readonly maxMapped = 0xffff_ffff;
  readonly misses = 0;
  mapped = 0;
  readonly #slabs = new Slabs();

  get bytes(): number {
    return this.#slabs.size;
  }

  add(chunk: Chunk): void {
    chunk.mapTo(this.#slabs.take());
    this.mapped++;
  }

  map(chunk: Chunk): Uint8Array {
    return chunk.bytes;
  }

  remove(chunk: Chunk): void {
    this.#slabs.giveBack(chunk.unmap());
    this.mapped--;
  }

  close(): void {}
}
