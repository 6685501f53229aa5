import { HostMemoryError } from './host-memory-error.ts';

/** Totals over all machines of a host, in pages. Source: GMMR0Internal.h, GMM. */
export class HostTotals {
  /** cMaxPages */
  readonly maxPages: number;
  /**
   * Whether machines have to bring chunks themselves, as on hosts that can't allocate physical pages for them; sharing
   * is off then.
   */
  readonly isSeeded: boolean;
  reservedPages = 0;
  overCommittedPages = 0;
  allocatedPages = 0;
  balloonedPages = 0;
  /** Number of shared pages, each counted once. */
  sharedPages = 0;
  /** References to shared pages beyond the first to each page: the pages saved by sharing. */
  duplicatePages = 0;
  /** References to shared pages that machines did not free before they ended. */
  leftBehindSharedPages = 0;

  constructor(maxPages: number, isSeeded: boolean) {
    this.maxPages = maxPages;
    this.isSeeded = isSeeded;
  }

  /**
   * Changes one machine's reservation, so that always `reservedPages − overCommittedPages ≤ maxPages`.
   * @returns how many of `pages` are over-committed
   * @throws HostMemoryError `reservation-declined`
   */
  changeReservation(old: { pages: number; overCommitted: number }, pages: number, mayOverCommit: boolean): number {
    const others = this.reservedPages - old.pages - (this.overCommittedPages - old.overCommitted);
    const overCommitted = Math.max(0, others + pages - this.maxPages);
    if (overCommitted > 0 && !mayOverCommit)
      throw new HostMemoryError(
        'reservation-declined',
        `Cannot reserve ${pages} pages: the host has ${this.maxPages}, of which ${others} are reserved`,
      );
    this.reservedPages += pages - old.pages;
    this.overCommittedPages += overCommitted - old.overCommitted;
    return overCommitted;
  }
}
