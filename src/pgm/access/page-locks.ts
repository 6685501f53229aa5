import { hex } from '../../../formats/errors.ts';
import { type GuestPhys, PAGE_SIZE } from '../../../formats/sizes.ts';
import { NIL_PAGE_ID } from '../../gmm/page-id.ts';
import type { GuestPages } from '../pages/guest-pages.ts';
import type { PageCounts } from '../pages/page-counters.ts';
import { PageState, PageType } from '../pages/page-states.ts';
import { pgmError } from '../pages/pgm-errors.ts';
import type { RamRange } from '../pages/ram-range.ts';
import type { RangeList } from '../pages/range-list.ts';

/** When a page with this many locks gets another one, the page stays locked for good (PGM_PAGE_MAX_LOCKS). */
const LAST_COUNTED = 253;
const FOR_GOOD = LAST_COUNTED + 1;

/** A page that a device has mapped. */
export interface PageLock {
  /**
   * The 4096 bytes of the page; valid until `release`. A page without memory that is locked for reading gives zeros,
   * even if it gets memory later.
   */
  readonly bytes: Uint8Array;
  /** Ends the mapping. Harmless the second time. */
  release(): void;
}

/**
 * Mappings of single pages that devices hold (guest-memory.md 4.5). Handlers are not called for accesses through them.
 */
export class PageLocks {
  readonly #ranges: RangeList;
  readonly #pages: GuestPages;

  constructor(ranges: RangeList, pages: GuestPages) {
    this.#ranges = ranges;
    this.#pages = pages;
  }

  /**
   * Maps a page for writing. Until its release the page counts as changed in every round of write monitoring.
   * @throws UsageError VERR_PGM_INVALID_GC_PHYSICAL_ADDRESS, VERR_PGM_PHYS_PAGE_RESERVED, VERR_PGM_PHYS_PAGE_BALLOONED;
   * EnvironmentError VERR_EM_NO_MEMORY
   */
  lockForWriting(gcPhys: GuestPhys): PageLock {
    const range = this.#ranges.get(gcPhys);
    const page = range.pageOf(gcPhys);
    if (range.state[page] !== PageState.ALLOCATED) this.#pages.apply('make-writable', range, page);
    return this.#lock(range, page, range.writeLocks, 'writeLocked', () => {
      if (range.writeLocks[page] === 0) this.#pages.apply('release-write-lock', range, page);
    });
  }

  /** Maps a page for reading. @throws UsageError VERR_PGM_INVALID_GC_PHYSICAL_ADDRESS, VERR_PGM_PHYS_PAGE_RESERVED */
  lockForReading(gcPhys: GuestPhys): PageLock {
    const range = this.#ranges.get(gcPhys);
    const page = range.pageOf(gcPhys);
    if (range.type[page] === PageType.MMIO)
      throw pgmError('VERR_PGM_PHYS_PAGE_RESERVED', `Cannot map ${hex(gcPhys)}: there are device registers`, {
        gcPhys,
      });
    return this.#lock(range, page, range.readLocks, 'readLocked', () => {});
  }

  #lock(range: RamRange, page: number, locks: Uint8Array, count: keyof PageCounts, onRelease: () => void): PageLock {
    const { counts, backing } = this.#pages;
    const id = range.pageId[page];
    if (id !== NIL_PAGE_ID) backing.host.pin(id);
    const bytes = id === NIL_PAGE_ID ? new Uint8Array(PAGE_SIZE) : this.#pages.contentOf(range, page);
    if (locks[page] === 0) counts[count]++;
    if (locks[page] < FOR_GOOD) locks[page]++;
    let isHeld = true;
    const release = () => {
      if (!isHeld) return;
      isHeld = false;
      if (id !== NIL_PAGE_ID) backing.host.unpin(id);
      if (locks[page] === FOR_GOOD) return;
      if (--locks[page] === 0) counts[count]--;
      onRelease();
    };
    return { bytes, release };
  }
}
