import { hex } from '../../../formats/errors.ts';
import type { GuestPhys } from '../../../formats/sizes.ts';
import { clock } from '../../../formats/world/waiting.ts';
import { NIL_PAGE_ID, PAGES_PER_CHUNK } from '../../gmm/page-id.ts';
import { Timing } from '../statistics/timing.ts';
import type { GuestPages } from './guest-pages.ts';
import { largeBlockOf } from './large-block.ts';
import { HandlerState, PageState, PageType, PdeType } from './page-states.ts';
import { pgmError } from './pgm-errors.ts';
import type { RamRange } from './ram-range.ts';
import type { RangeList } from './range-list.ts';

/** Blocks of 512 pages that are allocated, and may be mapped, as one page of 2 MiB (guest-memory.md 4.4). */
export class LargePages {
  /** Off by default; switched off for good when the host has no 2 MiB in one piece. */
  isEnabled = false;
  /**
   * Numbers of blocks that were allocated as one page; mapped as one page again; refused; checked again after they were
   * taken apart.
   */
  readonly counts = { allocated: 0, reused: 0, refused: 0, rechecked: 0 };
  /** Times of the host's allocations. */
  readonly allocating = new Timing();
  /** Times of checks whether a block is still one page. */
  readonly checking = new Timing();
  readonly #ranges: RangeList;
  readonly #pages: GuestPages;

  constructor(ranges: RangeList, pages: GuestPages) {
    this.#ranges = ranges;
    this.#pages = pages;
    pages.allocateLarge = (range, page) => this.isEnabled && this.#allocate(range, page);
  }

  /**
   * The first page id of the block around an address, for a mapping of 2 MiB. A block that was taken apart is checked
   * and put together again.
   * @throws UsageError VERR_PGM_INVALID_LARGE_PAGE_RANGE where it can't be one page
   */
  map(gcPhys: GuestPhys): number {
    const range = this.#ranges.get(gcPhys);
    const base = largeBlockOf(range, range.pageOf(gcPhys));
    if (base === undefined) throw invalid(gcPhys, 'the block is not within one range');
    const type = range.pdeType(base);
    if (type !== PdeType.LARGE && type !== PdeType.LARGE_DISABLED)
      throw invalid(gcPhys, 'the block was not allocated as one page');
    if (type === PdeType.LARGE_DISABLED) this.counts.rechecked++;
    const start = clock();
    this.#checkWhole(range, base, gcPhys);
    this.checking.add(start);
    if (type === PdeType.LARGE) this.counts.reused++;
    range.setPdeType(base, PdeType.LARGE);
    return range.pageId[base];
  }

  #checkWhole(range: RamRange, base: number, gcPhys: GuestPhys): void {
    for (let page = base; page < base + PAGES_PER_CHUNK; page++) {
      const isWhole = page === base || range.pdeType(page) === PdeType.LARGE;
      const isPlain =
        range.type[page] === PageType.RAM &&
        range.state[page] === PageState.ALLOCATED &&
        range.handler[page] === HandlerState.NONE;
      if (!isWhole || !isPlain)
        throw invalid(gcPhys, `the page at ${hex(range.addressOf(page))} is not contiguous with the others`);
    }
  }

  /**
   * Allocates a block as one page; tried once, when its first page is allocated. @returns whether all of its pages are
   * allocated now
   */
  #allocate(range: RamRange, page: number): boolean {
    const base = largeBlockOf(range, page);
    if (base === undefined || range.pdeType(base) !== PdeType.DONT_CARE || range.type[page] !== PageType.RAM)
      return false;
    if (!isAllZeroRam(range, base)) {
      range.setPdeType(base, PdeType.PAGE_TABLE);
      this.counts.refused++;
      return false;
    }
    const start = clock();
    const first = this.#pages.backing.takeLargePage();
    this.allocating.add(start);
    if (first === NIL_PAGE_ID) {
      this.isEnabled = false;
      return false;
    }
    for (let i = 0; i < PAGES_PER_CHUNK; i++) {
      range.pageId[base + i] = first + i;
      range.state[base + i] = PageState.ALLOCATED;
      range.setPdeType(base + i, PdeType.LARGE);
      range.noteChange(base + i);
      this.#pages.onChange?.(range, base + i);
    }
    this.#pages.counts.zero -= PAGES_PER_CHUNK;
    this.#pages.counts.private += PAGES_PER_CHUNK;
    this.counts.allocated++;
    return true;
  }
}

function isAllZeroRam(range: RamRange, base: number): boolean {
  for (let page = base; page < base + PAGES_PER_CHUNK; page++) {
    if (range.type[page] !== PageType.RAM || range.state[page] !== PageState.ZERO) return false;
  }
  return true;
}

function invalid(gcPhys: GuestPhys, reason: string): Error {
  return pgmError('VERR_PGM_INVALID_LARGE_PAGE_RANGE', `Cannot map 2 MiB at ${hex(gcPhys)}: ${reason}`, { gcPhys });
}
