import { HostMemoryError } from './host-memory-error.ts';

/** What all machines of a host together have, in pages. Source: GMMR0Internal.h, GMM. */
export class HostTotals {
  /** cMaxPages */
  readonly maxPages: number;
  /**
   * Do machines have to bring chunks themselves, as on hosts that can't allocate physical pages for them? Sharing is
   * off then.
   */
  readonly isSeeded: boolean;
  reservedPages = 0;
  overCommittedPages = 0;
  allocatedPages = 0;
  balloonedPages = 0;
  /** Pages that are shared, however often. */
  sharedPages = 0;
  /** References to shared pages beyond each page's first: what sharing saves. */
  duplicatePages = 0;
  /** References that machines left behind when they ended. */
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
