import type { Chunk } from './chunk.ts';
import { HostMemoryError } from './host-memory-error.ts';
import { CHUNK_SIZE } from './page-id.ts';

/** Where the bytes of chunks are. */
export interface ChunkMapper {
  /** Chunks in memory, the most there may be, and how often one had to be looked up or read that was not in use just before. */
  readonly mapped: number;
  readonly maxMapped: number;
  readonly misses: number;
  /** Readies a new chunk; its bytes are zero. */
  add(chunk: Chunk): void;
  /** The bytes of a chunk that is not marked as just used. */
  map(chunk: Chunk): Uint8Array;
  /** Drops the bytes of a chunk that is given back. */
  remove(chunk: Chunk): void;
  close(): void;
}

/** Zeroed memory; the system gives a page of it only when it is touched. */
export function newBytes(): Uint8Array {
  try {
    return new Uint8Array(CHUNK_SIZE);
  } catch (cause) {
    const error = new HostMemoryError('no-memory', 'Cannot allocate chunk: the host has no memory left');
    error.cause = cause;
    throw error;
  }
}

/** All chunks stay in memory. */
export class AllMapped implements ChunkMapper {
  readonly maxMapped = 0xffff_ffff;
  readonly misses = 0;
  mapped = 0;

  add(chunk: Chunk): void {
    chunk.mapTo(newBytes());
    this.mapped++;
  }

  map(chunk: Chunk): Uint8Array {
    return chunk.bytes;
  }

  remove(chunk: Chunk): void {
    chunk.unmap();
    this.mapped--;
  }

  close(): void {}
}
