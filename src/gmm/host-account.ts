import type { Chunk } from './chunk.ts';
import type { ChunkPool } from './chunk-pool.ts';
import { HostMemoryError } from './host-memory-error.ts';
import { type AccountName, HostReservation } from './host-reservation.ts';
import type { HostTotals } from './host-totals.ts';
import { LAST_PAGE_ID, NIL_PAGE_ID, PAGE_INDEX_MASK, PAGES_PER_CHUNK } from './page-id.ts';

/** One machine's share of a host's memory. From `HostMemory.openAccount`; reserve first, then allocate. */
export class HostAccount extends HostReservation {
  /** Number of the machine at this host, from 1. */
  readonly id: number;
  /** Pages that only this machine has. */
  privatePages = 0;
  /** Shared pages that the machine refers to. */
  sharedPages = 0;
  readonly #pool: ChunkPool;
  readonly #totals: HostTotals;

  /**
   * Moves the machine's pages out of chunks that are being emptied, with `movePage`; absent if its pages cannot be
   * moved.
   */
  moveOut: ((isLeaving: (pageId: number) => boolean) => void) | undefined;
  readonly #onClose: () => void;
  readonly #moved = new Uint32Array(1);

  constructor(id: number, pool: ChunkPool, totals: HostTotals, onClose: () => void) {
    super(totals);
    this.id = id;
    this.#onClose = onClose;
    this.#pool = pool;
    this.#totals = totals;
  }

  /**
   * Fills `pageIds` with the IDs of zeroed private pages; all or nothing.
   * @throws HostMemoryError `wrong-order`, `global-limit`, `account-limit`, `seed-me`, `no-memory`
   */
  allocatePages(name: AccountName, pageIds: Uint32Array, count = pageIds.length): void {
    this.checkLimits(name, count);
    if (this.#totals.isSeeded && this.#pool.freePagesFor(this.id) < count)
      throw new HostMemoryError('seed-me', `Cannot allocate ${count} pages: the machine has to seed a chunk first`);
    if (!this.#totals.isSeeded) this.#pool.makeFree(count);
    this.#pool.take(this.id, pageIds, 0, count);
    this.#addAllocated(name, count);
  }

  /**
   * Allocates 512 pages in one chunk of its own. @returns the first page's ID. @throws HostMemoryError as
   * `allocatePages`
   */
  allocateLargePage(name: AccountName): number {
    this.checkLimits(name, PAGES_PER_CHUNK);
    if (this.#totals.isSeeded)
      throw new HostMemoryError('no-memory', 'Cannot allocate large page: a seeded host has none');
    const pageId = this.#pool.takeWholeChunk(this.id);
    this.#addAllocated(name, PAGES_PER_CHUNK);
    return pageId;
  }

  /** Gives the host a chunk of the machine's own memory, as machines do on hosts that can't allocate for them. */
  seedChunk(): void {
    this.#pool.addChunk().affinity = this.id;
  }

  /**
   * Frees private pages, and drops this machine's references to shared ones, which are freed with the last reference.
   * Stops at the first error; pages before it are freed.
   * @throws HostMemoryError `free-too-much`, `page-not-found`, `page-already-free`, `not-page-owner`, `wrong-order`
   */
  freePages(name: AccountName, pageIds: Uint32Array, count = pageIds.length): void {
    this.checkReserved('free pages');
    if (count > this.allocated[name])
      throw new HostMemoryError(
        'free-too-much',
        `Cannot free ${count} ${name} pages: ${this.allocated[name]} are allocated`,
      );
    for (let i = 0; i < count; i++) {
      this.#freePage(pageIds[i]);
      this.allocated[name]--;
    }
  }

  /**
   * Turns a private page into a shared one, with this machine's reference only. @throws HostMemoryError as `freePages`,
   * or `page-not-private`
   */
  sharePage(pageId: number): void {
    const chunk = this.#chunkOf(pageId);
    if (this.#totals.isSeeded || chunk.stateOf(pageId & PAGE_INDEX_MASK) === 'shared')
      throw new HostMemoryError(
        'page-not-private',
        `Cannot share page ${pageId}: it is shared already, or this host shares none`,
      );
    this.#pool.setShared(pageId, 1);
    this.privatePages--;
    this.sharedPages++;
    this.#totals.sharedPages++;
  }

  /**
   * Gives a private page up for a reference to a shared one; the caller must know that both have the same bytes.
   * @throws HostMemoryError as `freePages` for either, `page-not-private`, `page-not-shared`
   */
  exchangeForShared(pageId: number, sharedId: number): void {
    const shared = this.#chunkOf(sharedId);
    const index = sharedId & PAGE_INDEX_MASK;
    if (this.#chunkOf(pageId).stateOf(pageId & PAGE_INDEX_MASK) !== 'private')
      throw new HostMemoryError('page-not-private', `Cannot exchange page ${pageId}: it is shared already`);
    if (shared.stateOf(index) !== 'shared')
      throw new HostMemoryError('page-not-shared', `Cannot refer to page ${sharedId}: it is private`);
    this.#pool.setShared(sharedId, shared.valueOf(index) + 1);
    this.sharedPages++;
    this.#totals.duplicatePages++;
    this.#freePrivate(pageId);
  }

  /**
   * Moves a private page into another chunk. @returns the new page's ID; `NIL_PAGE_ID` for a shared page, or without
   * room. @throws HostMemoryError as `freePages`
   */
  movePage(pageId: number): number {
    const isPrivate = this.#chunkOf(pageId).stateOf(pageId & PAGE_INDEX_MASK) === 'private';
    if (!isPrivate || this.#pool.freePagesFor(this.id) === 0) return NIL_PAGE_ID;
    this.#pool.take(this.id, this.#moved, 0, 1);
    const [newId] = this.#moved;
    try {
      this.#pool.copyPage(pageId, newId);
    } catch (error) {
      this.#pool.putBack(newId);
      throw error;
    }
    this.#pool.putBack(pageId);
    return newId;
  }

  /**
   * Ends the account and its reservation, and frees its private pages. References to shared pages that were not freed
   * before remain.
   */
  close(): void {
    for (const chunk of this.#pool.chunks)
      for (const pageId of chunk?.privatePagesOf(this.id) ?? []) this.#freePrivate(pageId);
    if (this.#totals.isSeeded) this.#pool.returnChunksOf(this.id);
    for (const chunk of this.#pool.chunks) if (chunk?.affinity === this.id) chunk.affinity = 0;
    this.#totals.leftBehindSharedPages += this.sharedPages;
    this.sharedPages = 0;
    this.endReservation();
    this.#onClose();
  }

  #addAllocated(name: AccountName, count: number): void {
    this.allocated[name] += count;
    this.privatePages += count;
    this.#totals.allocatedPages += count;
  }

  /** @throws HostMemoryError when the page is not allocated, or another machine's */
  #chunkOf(pageId: number): Chunk {
    const chunk = pageId > NIL_PAGE_ID && pageId <= LAST_PAGE_ID ? this.#pool.chunkOf(pageId) : undefined;
    if (!chunk) throw new HostMemoryError('page-not-found', `Cannot use page ${pageId}: the host has no such page`);
    const index = pageId & PAGE_INDEX_MASK;
    const state = chunk.stateOf(index);
    if (state === 'free') throw new HostMemoryError('page-already-free', `Cannot use page ${pageId}: it is free`);
    if (state === 'private' && chunk.valueOf(index) !== this.id)
      throw new HostMemoryError('not-page-owner', `Cannot use page ${pageId}: it belongs to another machine`);
    return chunk;
  }

  #freePage(pageId: number): void {
    const chunk = this.#chunkOf(pageId);
    const index = pageId & PAGE_INDEX_MASK;
    if (chunk.stateOf(index) === 'private') this.#freePrivate(pageId);
    else this.#dropReference(pageId, chunk.valueOf(index) - 1);
  }

  #freePrivate(pageId: number): void {
    this.#pool.putBack(pageId);
    this.privatePages--;
    this.#totals.allocatedPages--;
  }

  #dropReference(pageId: number, references: number): void {
    if (this.sharedPages === 0)
      throw new HostMemoryError('not-page-owner', `Cannot free page ${pageId}: this machine shares none`);
    this.sharedPages--;
    if (references > 0) {
      this.#pool.setShared(pageId, references);
      this.#totals.duplicatePages--;
      return;
    }
    this.#pool.putBack(pageId);
    this.#totals.sharedPages--;
    this.#totals.allocatedPages--;
  }
}
