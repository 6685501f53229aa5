import { hex } from '../../../formats/errors.ts';
import { type GuestPhys, PAGE_SIZE } from '../../../formats/sizes.ts';
import type { GuestPages } from './guest-pages.ts';
import { PageState, PageType } from './page-states.ts';
import { pgmError } from './pgm-errors.ts';
import type { RamRange } from './ram-range.ts';
import type { RangeList } from './range-list.ts';

/** At most this many pages at a time. Source: GMMR0.cpp, GMMR0BalloonedPages. */
const MOST_PAGES = 2 ** 20 - 1;

/**
 * Memory that the guest's balloon driver has given back: it reads as zeros, writes to it are dropped, and the host
 * gives its pages to others (guest-memory.md 8.2). VirtualBox also counts pages that it could not balloon, and counts
 * some twice; here only changed pages count.
 */
export class Balloon {
  readonly #ranges: RangeList;
  readonly #pages: GuestPages;

  constructor(ranges: RangeList, pages: GuestPages) {
    this.#ranges = ranges;
    this.#pages = pages;
  }

  /** Pages in the balloon. */
  get size(): number {
    return this.#pages.counts.ballooned;
  }

  /**
   * Takes the pages at these addresses, up to the first that is not RAM, or that a device has mapped.
   * @returns number of pages handled; pages that were ballooned before remain so
   * @throws UsageError VERR_INVALID_PARAMETER for 2^20 pages and more, or when the first address begins no page, as old
   * guest additions pass
   */
  inflate(addresses: ArrayLike<GuestPhys>): number {
    return this.#change(
      'balloon',
      addresses,
      (range, page) => range.readLocks[page] === 0 && range.writeLocks[page] === 0,
    );
  }

  /**
   * Gives the pages at these addresses back to the guest, as zeros; up to the first that is not ballooned. @returns
   * number of pages. @throws as `inflate`
   */
  deflate(addresses: ArrayLike<GuestPhys>): number {
    return this.#change('deflate', addresses, (range, page) => range.state[page] === PageState.BALLOONED);
  }

  #change(
    event: 'balloon' | 'deflate',
    addresses: ArrayLike<GuestPhys>,
    mayChange: (range: RamRange, page: number) => boolean,
  ): number {
    const { length } = addresses;
    if (length > MOST_PAGES || (length > 0 && addresses[0] % PAGE_SIZE !== 0))
      throw pgmError(
        'VERR_INVALID_PARAMETER',
        `Cannot ${event} ${length} pages from ${hex(addresses[0])} on: expected page addresses, at most ${MOST_PAGES}`,
      );
    try {
      for (let i = 0; i < length; i++) {
        const range = this.#ranges.find(addresses[i]);
        const page = range?.pageOf(addresses[i]) ?? 0;
        if (range?.type[page] !== PageType.RAM || !mayChange(range, page)) return i;
        this.#pages.apply(event, range, page);
      }
      return length;
    } finally {
      this.#pages.flush();
    }
  }
}
