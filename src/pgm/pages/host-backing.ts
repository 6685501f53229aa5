import { PAGE_SIZE } from '../../../formats/sizes.ts';
import type { HostAccount } from '../../gmm/host-account.ts';
import type { HostMemory } from '../../gmm/host-memory.ts';
import { HostMemoryError } from '../../gmm/host-memory-error.ts';
import type { AccountName, HostPriority, OverCommitPolicy } from '../../gmm/host-reservation.ts';
import { NIL_PAGE_ID, offsetInChunk } from '../../gmm/page-id.ts';
import { allocateSeeding } from './allocate-seeding.ts';
import { HANDY_PAGES, HandyPages } from './handy-pages.ts';
import { pgmError } from './pgm-errors.ts';

/** Maximum number of ballooned pages that the host takes at a time. */
const BALLOON_BATCH = 2 ** 20 - 1;

/** Options of a machine's account at its host. */
export interface HostBackingOptions {
  /** Whether the machine may reserve more than the host has; `no-over-commitment` by default. */
  policy?: OverCommitPolicy;
  /** `normal` by default. */
  priority?: HostPriority;
}

/** A host's memory, which other machines share, as one machine sees it. A page is known by its ID; 0 is none. */
export class HostBacking {
  /** The host, which other machines may share. */
  readonly host: HostMemory;
  /** The machine's account at the host. */
  readonly account: HostAccount;
  /** @internal */
  readonly handy: HandyPages;

  /**
   * Reserves the pages that every machine needs; ranges of memory add theirs. @throws HostMemoryError
   * `reservation-declined`
   */
  constructor(host: HostMemory, { policy = 'no-over-commitment', priority = 'normal' }: HostBackingOptions = {}) {
    this.host = host;
    this.account = host.openAccount();
    try {
      this.account.reserve({ base: HANDY_PAGES, shadow: 1, fixed: 1 }, policy, priority);
    } catch (error) {
      this.account.close();
      throw error;
    }
    this.handy = new HandyPages(this.account);
  }

  /** The whole chunk that holds a page, which is at `offsetInChunk(id)`; borrowed until the next call. */
  chunkBytes(id: number): Uint8Array {
    return this.host.chunkBytes(id);
  }

  /** The bytes of a page; borrowed until the next call. */
  pageBytes(id: number): Uint8Array {
    const at = offsetInChunk(id);
    return this.host.chunkBytes(id).subarray(at, at + PAGE_SIZE);
  }

  /** A private page of zeros for the page at `gcPhys` (account base). @throws EnvironmentError VERR_EM_NO_MEMORY */
  takePage(gcPhys: number): number {
    return this.handy.take(gcPhys);
  }

  /**
   * Fills `into` with IDs of private pages of zeros. @throws EnvironmentError VERR_EM_NO_MEMORY, and then none is taken
   */
  allocatePages(name: AccountName, into: Uint32Array): void {
    try {
      allocateSeeding(this.account, name, into);
    } catch (cause) {
      if (!(cause instanceof HostMemoryError)) throw cause;
      const reason = cause.message.replace(/^Cannot [^:]*: /, '');
      const error = pgmError('VERR_EM_NO_MEMORY', `Cannot allocate ${into.length} pages: ${reason}`);
      error.cause = cause;
      throw error;
    }
  }

  /** The first ID of 512 neighbouring zero pages that fill a chunk; `NIL_PAGE_ID` if the host has no such chunk. */
  takeLargePage(): number {
    try {
      return this.account.allocateLargePage('base');
    } catch (error) {
      if (error instanceof HostMemoryError) return NIL_PAGE_ID;
      throw error;
    }
  }

  /** Gives private pages back, or references to shared ones. @throws HostMemoryError */
  freePages(name: AccountName, ids: Uint32Array): void {
    this.account.freePages(name, ids);
  }

  /**
   * Changes the machine's reservation by a number of pages, which may be negative. @throws HostMemoryError
   * `reservation-declined`
   */
  reserve(name: AccountName, pages: number): void {
    const { reserved } = this.account;
    this.account.updateReservation({ ...reserved, [name]: reserved[name] + pages });
  }

  /** Tells the host how many pages are ballooned now; they have been freed before. */
  balloonTo(pages: number): void {
    for (;;) {
      const change = pages - this.account.balloonedPages;
      if (change === 0) return;
      this.account.balloon(change > 0 ? 'inflate' : 'deflate', Math.min(Math.abs(change), BALLOON_BATCH));
    }
  }

  /** Gives all of the machine's pages back. References to shared pages have to be freed before. */
  close(): void {
    this.account.close();
  }
}
