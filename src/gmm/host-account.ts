import type { Chunk } from './chunk.ts';
import type { ChunkPool } from './chunk-pool.ts';
import { HostMemoryError } from './host-memory-error.ts';
import type { HostTotals } from './host-totals.ts';
import { LAST_PAGE_ID, NIL_PAGE_ID, PAGE_INDEX_MASK, PAGES_PER_CHUNK } from './page-id.ts';

/** RAM, ROM, shadow ROM and handy pages; shadow page tables; MMIO2 and the hypervisor's heap. Source: GMMACCOUNT. */
export type AccountName = 'base' | 'shadow' | 'fixed';
/** Pages of each account. */
export type AccountPages = Record<AccountName, number>;
/** GMMOCPOLICY: `'to-be-decided'` may reserve more than the host has. */
export type OverCommitPolicy = 'no-over-commitment' | 'to-be-decided';
/** GMMPRIORITY: the highest is asked last to give memory back. */
export type HostPriority = 'high' | 'normal' | 'low';
/** GMMBALLOONACTION. */
export type BalloonAction = 'inflate' | 'deflate' | 'reset';

/** Batches of ballooned pages are smaller than this. Source: GMMR0.cpp, GMMR0BalloonedPages. */
const BALLOON_BATCH_LIMIT = 2 ** 20;

/** One machine's share of a host's memory. From `HostMemory.openAccount`; reserve first, then allocate. */
export class HostAccount {
  /** Number of the machine at this host, from 1. */
  readonly id: number;
  /** Reserved pages of each account. */
  readonly reserved: AccountPages = { base: 0, shadow: 0, fixed: 0 };
  /** Allocated pages of each account. */
  readonly allocated: AccountPages = { base: 0, shadow: 0, fixed: 0 };
  /** Pages that only this machine has. */
  privatePages = 0;
  /** Shared pages that the machine refers to. */
  sharedPages = 0;
  /** Pages in the machine's balloon. */
  balloonedPages = 0;
  /** Pages of the reservation that the host does not have. */
  overCommittedPages = 0;
  /** Policy of the reservation. */
  policy: OverCommitPolicy = 'no-over-commitment';
  /** Priority of the reservation. */
  priority: HostPriority = 'normal';
  #mayAllocate = false;
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
    this.id = id;
    this.#onClose = onClose;
    this.#pool = pool;
    this.#totals = totals;
  }

  /**
   * Makes the initial reservation of pages for the machine.
   * @throws HostMemoryError `wrong-order` for a second one, `reservation-declined` if the host does not have the pages,
   * `invalid-parameter`
   */
  reserve(pages: AccountPages, policy: OverCommitPolicy, priority: HostPriority): void {
    if (this.#mayAllocate) throw new HostMemoryError('wrong-order', 'Cannot reserve memory: it is reserved already');
    if (!Object.values(pages).every((count) => Number.isSafeInteger(count) && count > 0))
      throw new HostMemoryError(
        'invalid-parameter',
        `Cannot reserve memory: each account needs at least one page, not ${JSON.stringify(pages)}`,
      );
    this.#setReserved(pages, policy);
    this.priority = priority;
    this.#mayAllocate = true;
  }

  /**
   * Changes the reservation. @throws HostMemoryError as `reserve`; `account-limit` if more pages are allocated than
   * would be reserved
   */
  updateReservation(pages: AccountPages): void {
    this.#checkReserved('change the reservation');
    for (const name of Object.keys(pages) as AccountName[]) {
      const used = this.allocated[name] + (name === 'base' ? this.balloonedPages : 0);
      if (pages[name] < used)
        throw new HostMemoryError('account-limit', `Cannot reserve ${pages[name]} ${name} pages: ${used} are in use`);
    }
    this.#setReserved(pages, this.policy);
  }

  /**
   * Fills `pageIds` with the IDs of zeroed private pages; all or nothing.
   * @throws HostMemoryError `wrong-order`, `global-limit`, `account-limit`, `seed-me`, `no-memory`
   */
  allocatePages(name: AccountName, pageIds: Uint32Array, count = pageIds.length): void {
    this.#checkLimits(name, count);
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
    this.#checkLimits(name, PAGES_PER_CHUNK);
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
    this.#checkReserved('free pages');
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
   * Accounts for pages that the machine's balloon took (and freed before) or gave back. The reservation is the limit,
   * as in all versions but the first one with a balloon, which refused to take more than half of the pages.
   * @throws HostMemoryError `invalid-parameter`, `wrong-order`, `free-too-much`, `deflate-too-much`
   */
  balloon(action: BalloonAction, count: number): void {
    this.#checkReserved('balloon pages');
    if (!(count >= 0 && count < BALLOON_BATCH_LIMIT))
      throw new HostMemoryError(
        'invalid-parameter',
        `Cannot balloon ${count} pages: fewer than ${BALLOON_BATCH_LIMIT} at a time`,
      );
    const used = this.allocated.base + this.balloonedPages;
    if (action === 'inflate' && used + count > this.reserved.base)
      throw new HostMemoryError(
        'free-too-much',
        `Cannot balloon ${count} pages: of ${this.reserved.base} reserved, ${used} are in use or ballooned`,
      );
    if (action === 'deflate' && count > this.balloonedPages)
      throw new HostMemoryError(
        'deflate-too-much',
        `Cannot give ${count} ballooned pages back: there are ${this.balloonedPages}`,
      );
    const change = { inflate: count, deflate: -count, reset: -this.balloonedPages }[action];
    this.balloonedPages += change;
    this.#totals.balloonedPages += change;
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
    this.#totals.balloonedPages -= this.balloonedPages;
    this.#totals.leftBehindSharedPages += this.sharedPages;
    this.balloonedPages = 0;
    this.sharedPages = 0;
    this.#setReserved(NO_PAGES, this.policy);
    Object.assign(this.allocated, NO_PAGES);
    this.#mayAllocate = false;
    this.#onClose();
  }

  #setReserved(pages: AccountPages, policy: OverCommitPolicy): void {
    const old = { pages: sum(this.reserved), overCommitted: this.overCommittedPages };
    this.overCommittedPages = this.#totals.changeReservation(old, sum(pages), policy === 'to-be-decided');
    Object.assign(this.reserved, pages);
    this.policy = policy;
  }

  #checkReserved(doing: string): void {
    if (!this.#mayAllocate) throw new HostMemoryError('wrong-order', `Cannot ${doing}: nothing is reserved yet`);
  }

  #checkLimits(name: AccountName, count: number): void {
    this.#checkReserved('allocate pages');
    const { allocatedPages, maxPages } = this.#totals;
    if (allocatedPages + count > maxPages)
      throw new HostMemoryError(
        'global-limit',
        `Cannot allocate ${count} pages: of the host's ${maxPages}, ${allocatedPages} are in use`,
      );
    const used = this.allocated[name] + (name === 'base' ? this.balloonedPages : 0);
    if (used + count > this.reserved[name])
      throw new HostMemoryError(
        'account-limit',
        `Cannot allocate ${count} ${name} pages: of ${this.reserved[name]} reserved, ${used} are in use`,
      );
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

const NO_PAGES: AccountPages = { base: 0, shadow: 0, fixed: 0 };

function sum(pages: AccountPages): number {
  return pages.base + pages.shadow + pages.fixed;
}
