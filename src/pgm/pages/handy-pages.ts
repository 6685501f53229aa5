import type { HostAccount } from '../../gmm/host-account.ts';
import { HostMemoryError } from '../../gmm/host-memory-error.ts';
import { allocateSeeding } from './allocate-seeding.ts';
import { pgmError } from './pgm-errors.ts';

/** Pages kept in stock (PGM_HANDY_PAGES); as many are reserved on top of RAM. */
export const HANDY_PAGES = 128;
/** At this number of handy pages or fewer, they should be refilled soon (PGM_HANDY_PAGES_SET_FF). */
const WANTED_AT = 32;
/** At this number or fewer, the taking of a page refills the stock first (PGM_HANDY_PAGES_R3_ALLOC). */
const REFILL_AT = 8;
/** A refill succeeds with at least this many in stock (PGM_HANDY_PAGES_MIN). */
const LEAST_AFTER_REFILL = 32;

/** Forced-action flags that the stock raises. */
export interface HandyFlags {
  /** VM_FF_PGM_NEED_HANDY_PAGES: `refill` should be called soon. */
  needHandyPages: boolean;
  /** VM_FF_PGM_NO_MEMORY: the machine has to pause until a `refill` works. */
  noMemory: boolean;
}

/**
 * `'ok'`: the stock is full, or as full as limits allow. `'no-memory'` (VINF_EM_NO_MEMORY): the machine is to be
 * suspended with the runtime error `HostMemoryLow`; resuming tries again.
 */
export type RefillResult = 'ok' | 'no-memory';

/** A small stock of private pages of zeros, so that the write of a guest hardly ever has to wait for the host. */
export class HandyPages {
  readonly flags: HandyFlags = { needHandyPages: false, noMemory: false };
  /** Makes each refill fail as if the host had no memory (`pgmerror handy`). */
  injectFailure = false;
  readonly #account: HostAccount;
  readonly #stock = new Uint32Array(HANDY_PAGES);
  #count = 0;

  constructor(account: HostAccount) {
    this.#account = account;
  }

  /** Number of pages of a full stock. */
  get size(): number {
    return HANDY_PAGES;
  }

  get count(): number {
    return this.#count;
  }

  /**
   * The ID of a page. Pages in stock are dealt out even when the stock can't be refilled. @throws EnvironmentError
   * VERR_EM_NO_MEMORY
   */
  take(gcPhys: number): number {
    if (this.#count <= REFILL_AT) this.#refillToTake(gcPhys);
    const pageId = this.#stock[--this.#count];
    if (this.#count <= WANTED_AT) this.flags.needHandyPages = true;
    return pageId;
  }

  /**
   * Fills the stock up, or as far as limits of the machine and the host allow.
   * @throws HostMemoryError for other failures of the host; the flags are set then
   */
  refill(): RefillResult {
    try {
      if (this.injectFailure) throw new HostMemoryError('no-memory', 'Cannot refill handy pages: failure injected');
      this.#add(HANDY_PAGES - this.#count);
    } catch (error) {
      if (!isLimit(error) || !this.#addLess()) return this.#failed(error);
    }
    this.flags.needHandyPages = false;
    this.flags.noMemory = false;
    return 'ok';
  }

  /** Refills. @returns false if the host has no memory, or a limit is reached */
  canRefill(): boolean {
    try {
      return this.refill() === 'ok';
    } catch (error) {
      if (error instanceof HostMemoryError) return false;
      throw error;
    }
  }

  /** Exchanges pages that are to become free on the host. */
  moveOut(isLeaving: (pageId: number) => boolean): void {
    for (let i = 0; i < this.#count; i++) {
      if (isLeaving(this.#stock[i])) this.#stock[i] = this.#account.movePage(this.#stock[i]) || this.#stock[i];
    }
  }

  /** Gives the stock back. */
  release(): void {
    this.#account.freePages('base', this.#stock, this.#count);
    this.#count = 0;
  }

  #add(count: number): void {
    const fresh = this.#stock.subarray(this.#count, this.#count + count);
    allocateSeeding(this.#account, 'base', fresh);
    // Pages are taken from the end of the stock: reversed, neighbours are taken in ascending order.
    fresh.reverse();
    this.#count += count;
  }

  /** Tries a quarter of the missing pages, then a quarter of that, down to the least number that a refill needs. */
  #addLess(): boolean {
    const least = LEAST_AFTER_REFILL - this.#count;
    for (let count = HANDY_PAGES - this.#count; count > least && least > 0; ) {
      count = Math.max(count >> 2, least);
      try {
        this.#add(count);
        return true;
      } catch (error) {
        if (!isLimit(error)) throw error;
      }
    }
    return false;
  }

  #failed(error: unknown): RefillResult {
    this.flags.needHandyPages = true;
    this.flags.noMemory = true;
    if (error instanceof HostMemoryError && error.code === 'no-memory') return 'no-memory';
    throw error;
  }

  #refillToTake(gcPhys: number): void {
    let cause: unknown;
    try {
      this.refill();
    } catch (error) {
      cause = error;
    }
    if (this.#count > 0) return;
    const error = pgmError('VERR_EM_NO_MEMORY', 'Cannot allocate page: neither the stock nor the host has one', {
      gcPhys,
    });
    error.cause = cause;
    throw error;
  }
}

function isLimit(error: unknown): boolean {
  return error instanceof HostMemoryError && (error.code === 'global-limit' || error.code === 'account-limit');
}
