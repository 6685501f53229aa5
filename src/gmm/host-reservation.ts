import { HostMemoryError } from './host-memory-error.ts';
import type { HostTotals } from './host-totals.ts';

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

/** The numbers of one machine at a host: pages that it may have, has, and has given to its balloon. */
export abstract class HostReservation {
  /** Reserved pages of each account. */
  readonly reserved: AccountPages = { base: 0, shadow: 0, fixed: 0 };
  /** Allocated pages of each account. */
  readonly allocated: AccountPages = { base: 0, shadow: 0, fixed: 0 };
  /** Pages in the machine's balloon. */
  balloonedPages = 0;
  /** Pages of the reservation that the host does not have. */
  overCommittedPages = 0;
  /** Policy of the reservation. */
  policy: OverCommitPolicy = 'no-over-commitment';
  /** Priority of the reservation. */
  priority: HostPriority = 'normal';
  #mayAllocate = false;
  readonly #totals: HostTotals;

  constructor(totals: HostTotals) {
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
    this.checkReserved('change the reservation');
    for (const name of Object.keys(pages) as AccountName[]) {
      const used = this.allocated[name] + (name === 'base' ? this.balloonedPages : 0);
      if (pages[name] < used)
        throw new HostMemoryError('account-limit', `Cannot reserve ${pages[name]} ${name} pages: ${used} are in use`);
    }
    this.#setReserved(pages, this.policy);
  }

  /**
   * Accounts for pages that the machine's balloon took (and freed before) or gave back. The reservation is the limit,
   * as in all versions but the first one with a balloon, which refused to take more than half of the pages.
   * @throws HostMemoryError `invalid-parameter`, `wrong-order`, `free-too-much`, `deflate-too-much`
   */
  balloon(action: BalloonAction, count: number): void {
    this.checkReserved('balloon pages');
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

  #setReserved(pages: AccountPages, policy: OverCommitPolicy): void {
    const old = { pages: sum(this.reserved), overCommitted: this.overCommittedPages };
    this.overCommittedPages = this.#totals.changeReservation(old, sum(pages), policy === 'to-be-decided');
    Object.assign(this.reserved, pages);
    this.policy = policy;
  }

  /** Gives up the reservation, the balloon, and the count of allocated pages. */
  protected endReservation(): void {
    this.#totals.balloonedPages -= this.balloonedPages;
    this.balloonedPages = 0;
    this.#setReserved(NO_PAGES, this.policy);
    Object.assign(this.allocated, NO_PAGES);
    this.#mayAllocate = false;
  }

  /** Checks that pages were reserved. @throws HostMemoryError `wrong-order` */
  protected checkReserved(doing: string): void {
    if (!this.#mayAllocate) throw new HostMemoryError('wrong-order', `Cannot ${doing}: nothing is reserved yet`);
  }

  /** Checks that more pages may be allocated. @throws HostMemoryError `wrong-order`, `global-limit`, `account-limit` */
  protected checkLimits(name: AccountName, count: number): void {
    this.checkReserved('allocate pages');
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
}

const NO_PAGES: AccountPages = { base: 0, shadow: 0, fixed: 0 };

function sum(pages: AccountPages): number {
  return pages.base + pages.shadow + pages.fixed;
}
