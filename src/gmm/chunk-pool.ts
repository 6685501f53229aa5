import { PAGE_SIZE } from '../../formats/sizes.ts';
import { Chunk } from './chunk.ts';
import type { ChunkMapper } from './chunk-mapper.ts';
import { ChunkSet } from './chunk-set.ts';
import { HostMemoryError } from './host-memory-error.ts';
import { CHUNK_ID_SHIFT, LAST_CHUNK_ID, offsetInChunk, PAGE_INDEX_MASK, PAGES_PER_CHUNK } from './page-id.ts';

const HALF_CHUNK = PAGES_PER_CHUNK / 2;
/**
 * Empty chunks kept in stock; further ones are given back. VirtualBox keeps the chunks at both ends of its list, so it
 * gives none back when chunks are emptied one after the other, each of them at the head.
 */
const EMPTY_CHUNKS_KEPT = 2;

/** All chunks of a host, with the order in which pages are taken. Knows owners, but no limits. */
export class ChunkPool {
  readonly mapper: ChunkMapper;
  /** By ID; 0 stays empty. */
  readonly chunks: (Chunk | undefined)[] = [undefined];
  /** Chunks without, and with shared pages. */
  readonly private = new ChunkSet();
  readonly shared = new ChunkSet();
  /** Number of chunks that the host still gives; for tests of a full host. */
  chunksLeft = Number.POSITIVE_INFINITY;
  /** Chunks serve only the machines that have brought them ("bound" mode). */
  isBound = false;
  readonly #freeIds: number[] = [];
  #count = 0;

  constructor(mapper: ChunkMapper) {
    this.mapper = mapper;
  }

  get chunkCount(): number {
    return this.#count;
  }

  get freePages(): number {
    return this.private.freePages + this.shared.freePages;
  }

  /** Free pages that a machine may take; on a bound host only pages of chunks that it has brought. */
  freePagesFor(account: number): number {
    if (!this.isBound) return this.freePages;
    return this.#chunksOf(account).reduce((pages, chunk) => pages + chunk.freePages, 0);
  }

  /** Gives a machine on a bound host the empty chunks back that the machine has brought. */
  returnChunksOf(account: number): void {
    for (const chunk of this.#chunksOf(account)) if (chunk.isEmpty && chunk.pins === 0) this.#giveBack(chunk);
  }

  /**
   * Gets chunks until `count` pages are free. @throws HostMemoryError `no-memory`; chunks got before stay as free pages
   */
  makeFree(count: number): void {
    while (this.freePages < count) this.addChunk();
  }

  addChunk(): Chunk {
    if (this.chunksLeft <= 0 || (this.#freeIds.length === 0 && this.chunks.length > LAST_CHUNK_ID))
      throw new HostMemoryError('no-memory', `Cannot allocate chunk: the host gives no more than ${this.#count}`);
    const chunk = new Chunk(this.#freeIds.at(-1) ?? this.chunks.length);
    this.mapper.add(chunk);
    this.#freeIds.pop();
    this.chunks[chunk.id] = chunk;
    this.#count++;
    this.chunksLeft--;
    this.private.link(chunk);
    return chunk;
  }

  /**
   * Fills `pageIds` from `start` with zeroed pages, which must be there (`makeFree`). In this order: partly used chunks
   * of the machine, fullest first; empty chunks; any other chunk, emptiest first; chunks with shared pages. Source:
   * GMMR0.cpp, gmmR0AllocatePages.
   */
  take(account: number, pageIds: Uint32Array, start: number, end: number): void {
    let at = start;
    try {
      for (const chunk of this.#inOrder(account, end - start)) {
        at = this.#takeFrom(chunk, account, pageIds, at, end);
        if (at === end) return;
      }
    } catch (error) {
      while (at > start) this.putBack(pageIds[--at]);
      throw error;
    }
  }

  /** Takes all pages of an empty chunk: 2 MiB in one piece, zeroed. @returns the first page's ID */
  takeWholeChunk(account: number): number {
    const chunk = this.private.anEmptyChunk() ?? this.addChunk();
    chunk.affinity = account;
    this.#takeFrom(chunk, account, new Uint32Array(PAGES_PER_CHUNK), 0, PAGES_PER_CHUNK);
    return chunk.id << CHUNK_ID_SHIFT;
  }

  chunkOf(pageId: number): Chunk | undefined {
    return this.chunks[pageId >>> CHUNK_ID_SHIFT];
  }

  /** @throws HostMemoryError `page-not-found` */
  knownChunkOf(pageId: number): Chunk {
    const chunk = this.chunkOf(pageId);
    if (!chunk) throw new HostMemoryError('page-not-found', `Cannot use page ${pageId}: the host has no such page`);
    return chunk;
  }

  copyPage(from: number, to: number): void {
    this.#withBoth(from, to, (source, target) => target.set(source));
  }

  areEqual(pageId: number, otherId: number): boolean {
    return this.#withBoth(pageId, otherId, (page, other) => Buffer.compare(page, other) === 0);
  }

  bytesOf(chunk: Chunk): Uint8Array {
    return chunk.age === 0 ? chunk.bytes : this.mapper.map(chunk);
  }

  /** Frees a page of any state; gives the chunk back if it is empty and enough empty chunks are in stock. */
  putBack(pageId: number): void {
    const chunk = this.chunkOf(pageId) as Chunk;
    this.#setOf(chunk).unlink(chunk);
    chunk.putBack(pageId & PAGE_INDEX_MASK);
    this.#setOf(chunk).link(chunk);
    if (chunk.isEmpty && chunk.pins === 0 && (chunk.isLeaving || this.private.emptyChunks > EMPTY_CHUNKS_KEPT))
      this.#giveBack(chunk);
  }

  /** Allocates no more pages of the chunk, and gives it back as soon as it is empty. */
  beginLeaving(chunk: Chunk): void {
    this.#setOf(chunk).unlink(chunk);
    chunk.isLeaving = true;
  }

  /** To be called if the chunk could not be emptied. */
  endLeaving(chunk: Chunk): void {
    chunk.isLeaving = false;
    this.#setOf(chunk).link(chunk);
  }

  /** Makes a page shared, or changes its number of references. */
  setShared(pageId: number, references: number): void {
    const chunk = this.chunkOf(pageId) as Chunk;
    this.#setOf(chunk).unlink(chunk);
    chunk.setShared(pageId & PAGE_INDEX_MASK, references);
    this.#setOf(chunk).link(chunk);
  }

  /** Gives all empty chunks back, also chunks in stock, except pinned ones, whose bytes are borrowed. */
  trim(): void {
    for (const chunk of this.private.emptyOnes()) if (chunk.pins === 0) this.#giveBack(chunk);
  }

  #chunksOf(account: number): Chunk[] {
    const isOwn = (chunk: Chunk | undefined) => chunk?.affinity === account && !chunk.isLeaving;
    return this.chunks.filter(isOwn) as Chunk[];
  }

  *#inOrder(account: number, count: number): Generator<Chunk> {
    if (this.isBound) {
      yield* this.#chunksOf(account).filter(({ freePages }) => freePages > 0);
      return;
    }
    for (const chunk of this.private.fullestFirst()) if (chunk.affinity === account) yield chunk;
    for (let chunk = this.private.anEmptyChunk(); chunk; chunk = this.private.anEmptyChunk()) {
      chunk.affinity = account;
      yield chunk;
    }
    for (const set of [this.private, this.shared]) {
      for (const chunk of set.emptiestFirst()) {
        if (chunk.freePages > HALF_CHUNK && count >= HALF_CHUNK) chunk.affinity = account;
        yield chunk;
      }
    }
  }

  /** Keeps two pages in memory at the same time. */
  #withBoth<T>(pageId: number, otherId: number, use: (page: Uint8Array, other: Uint8Array) => T): T {
    const chunk = this.knownChunkOf(pageId);
    const bytes = this.bytesOf(chunk);
    chunk.pins++;
    try {
      const otherBytes = this.bytesOf(this.knownChunkOf(otherId));
      const [start, otherStart] = [offsetInChunk(pageId), offsetInChunk(otherId)];
      return use(bytes.subarray(start, start + PAGE_SIZE), otherBytes.subarray(otherStart, otherStart + PAGE_SIZE));
    } finally {
      chunk.pins--;
    }
  }

  #setOf(chunk: Chunk): ChunkSet {
    return chunk.sharedPages === 0 ? this.private : this.shared;
  }

  #takeFrom(chunk: Chunk, account: number, pageIds: Uint32Array, start: number, end: number): number {
    const count = Math.min(end - start, chunk.freePages);
    // Mapping may fail, so it comes before any change.
    const bytes = chunk.isFresh ? undefined : this.bytesOf(chunk);
    const set = this.#setOf(chunk);
    set.unlink(chunk);
    for (let at = start; at < start + count; at++) {
      const isZeroed = chunk.nextIsZeroed;
      const pageId = (chunk.id << CHUNK_ID_SHIFT) | chunk.takePage(account);
      if (!isZeroed) bytes?.fill(0, offsetInChunk(pageId), offsetInChunk(pageId) + PAGE_SIZE);
      pageIds[at] = pageId;
    }
    set.link(chunk);
    return start + count;
  }

  #giveBack(chunk: Chunk): void {
    this.#setOf(chunk).unlink(chunk);
    this.mapper.remove(chunk);
    this.chunks[chunk.id] = undefined;
    this.#freeIds.push(chunk.id);
    this.#count--;
    this.chunksLeft++;
  }
}
