import type { Chunk } from './chunk.ts';
import { PAGES_PER_CHUNK } from './page-id.ts';

/** 16 pages per step. Source: GMMR0.cpp, GMM_CHUNK_FREE_SET_SHIFT. */
const STEP_SHIFT = 4;
const PARTLY_FREE_LISTS = PAGES_PER_CHUNK >> STEP_SHIFT;
const EMPTY_LIST = PARTLY_FREE_LISTS;

/** Chunks with free pages, in lists by the number of free pages: 32 lists of chunks in use, one of empty chunks. */
export class ChunkSet {
  readonly #heads: (Chunk | undefined)[] = Array(PARTLY_FREE_LISTS + 1).fill(undefined);
  #freePages = 0;
  #emptyChunks = 0;

  get freePages(): number {
    return this.#freePages;
  }

  get emptyChunks(): number {
    return this.#emptyChunks;
  }

  /** Call after the chunk's free pages have changed; a full chunk is in no list, nor is one that is being emptied. */
  link(chunk: Chunk): void {
    if (chunk.freePages === 0 || chunk.isLeaving) return;
    const list = chunk.isEmpty ? EMPTY_LIST : (chunk.freePages - 1) >> STEP_SHIFT;
    const head = this.#heads[list];
    chunk.list = list;
    chunk.next = head;
    chunk.previous = undefined;
    if (head) head.previous = chunk;
    this.#heads[list] = chunk;
    this.#freePages += chunk.freePages;
    if (list === EMPTY_LIST) this.#emptyChunks++;
  }

  /** Call before the chunk's free pages change. */
  unlink(chunk: Chunk): void {
    if (chunk.list < 0) return;
    if (chunk.previous) chunk.previous.next = chunk.next;
    else this.#heads[chunk.list] = chunk.next;
    if (chunk.next) chunk.next.previous = chunk.previous;
    if (chunk.list === EMPTY_LIST) this.#emptyChunks--;
    this.#freePages -= chunk.freePages;
    chunk.list = -1;
    chunk.next = undefined;
    chunk.previous = undefined;
  }

  anEmptyChunk(): Chunk | undefined {
    return this.#heads[EMPTY_LIST];
  }

  /** Completely empty chunks. The chunk handed out may be unlinked. */
  emptyOnes(): Iterable<Chunk> {
    return this.#chunksOf(EMPTY_LIST);
  }

  /**
   * Partly used chunks, fullest lists first. The chunk handed out may be unlinked and linked again before the next one
   * is asked for.
   */
  *fullestFirst(): Generator<Chunk> {
    for (let list = 0; list < PARTLY_FREE_LISTS; list++) yield* this.#chunksOf(list);
  }

  /** Partly used chunks, emptiest lists first. */
  *emptiestFirst(): Generator<Chunk> {
    for (let list = PARTLY_FREE_LISTS - 1; list >= 0; list--) yield* this.#chunksOf(list);
  }

  *#chunksOf(list: number): Generator<Chunk> {
    let chunk = this.#heads[list];
    while (chunk) {
      const { next } = chunk;
      yield chunk;
      chunk = next;
    }
  }
}
