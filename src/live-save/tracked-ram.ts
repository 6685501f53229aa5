import { PageType } from '../pgm/pages/page-states.ts';
import { BLOCK_PAGES, blockOf, type RamRange } from '../pgm/pages/ram-range.ts';
import type { RangeList } from '../pgm/pages/range-list.ts';
import type { LiveCounts } from './live-counters.ts';

/**
 * Bits of a page's entry; the upper 24 count how often it became dirty again. Source: PGMInternal.h,
 * PGMLIVESAVERAMPAGE.
 */
export const Live = {
  DIRTY: 1,
  /** The page is no RAM, and is never sent. */
  IGNORE: 2,
  ZERO: 4,
  SHARED: 8,
  MONITORED: 16,
  /** The last scan has armed the page, so it has not been quiet for a whole pass yet. */
  MONITORED_JUST_NOW: 32,
  /** The page was ballooned at the last look, and marked dirty for that reason. */
  BALLOONED: 64,
} as const;

/** First entry of a RAM page, by its `PageState`. */
const FIRST_ENTRY = Uint8Array.of(
  Live.DIRTY | Live.ZERO,
  Live.DIRTY,
  Live.DIRTY,
  Live.DIRTY | Live.SHARED,
  Live.DIRTY | Live.ZERO | Live.BALLOONED,
);

/** Work that a block of pages has left for later passes. */
export const Pending = {
  NOTHING: 0,
  /** Pages that any pass may take. */
  PAGES: 1,
  /** Pages that wait for the final pass, or an eager one: ballooned ones, and pages that may be RAM again by then. */
  LEFT: 2,
  /** The block's entries have not been made yet. */
  UNKNOWN: 4,
} as const;

/** A range, with the entries of its pages. */
interface TrackedRange {
  range: RamRange;
  /** `Live`, by page. */
  entries: Uint8Array;
  /** `Pending`, by block of `BLOCK_PAGES`. */
  pending: Uint8Array;
}

/** Pages `[first, end)` of a range: one block. */
export interface Block extends TrackedRange {
  first: number;
  end: number;
}

/** Entries of all RAM pages, and the blocks among them that need a look. */
export class TrackedRam {
  readonly #ranges: RangeList;
  readonly #counts: LiveCounts;
  readonly #tracked = new Map<RamRange, TrackedRange>();

  constructor(ranges: RangeList, counts: LiveCounts) {
    this.#ranges = ranges;
    this.#counts = counts;
    for (const range of ranges) this.#trackedOf(range);
  }

  /**
   * Blocks of RAM with one of the marks (`BlockMark`), or with wanted work (`Pending`), ascending. Ranges may change
   * between two blocks; the walk then goes on with the whole block that holds the same address.
   */
  *blocks(marks: number, wanted: number): Generator<Block> {
    const ranges = this.#ranges;
    let address = 0;
    for (let range = ranges.atOrAbove(address); range; range = ranges.atOrAbove(address)) {
      const tracked = this.#trackedOf(range);
      const from = blockOf(Math.max(0, range.pageOf(address))) * BLOCK_PAGES;
      const first = tracked ? nextOf(tracked, marks, wanted, from) : range.pages;
      const end = first < range.pages ? range.blockEnd(first) : range.pages;
      if (tracked && first < end)
        yield this.#known({ range, entries: tracked.entries, pending: tracked.pending, first, end });
      address = range.addressOf(end);
    }
  }

  /** The entries of a range, if it has been tracked. */
  of(range: RamRange): TrackedRange | undefined {
    return this.#tracked.get(range);
  }

  #trackedOf(range: RamRange): TrackedRange | undefined {
    if (range.kind !== 'ram') return undefined;
    const known = this.#tracked.get(range);
    if (known) return known;
    const pending = new Uint8Array(range.blocks.length).fill(Pending.UNKNOWN);
    const tracked = { range, entries: new Uint8Array(range.pages), pending };
    this.#tracked.set(range, tracked);
    return tracked;
  }

  /** Makes the entries of a block at the first look: all RAM is still to be sent. */
  #known(block: Block): Block {
    const { range, entries, pending, first, end } = block;
    if (!(pending[blockOf(first)] & Pending.UNKNOWN)) return block;
    const { type, state } = range;
    let ignored = 0;
    for (let page = first; page < end; page++) {
      const isRam = type[page] === PageType.RAM;
      entries[page] = isRam ? FIRST_ENTRY[state[page]] : Live.IGNORE;
      if (!isRam) ignored++;
    }
    this.#counts.ignored += ignored;
    this.#counts.ram.dirty += end - first - ignored;
    notePending(block);
    return block;
  }
}

/** Summarises a block's entries in its `Pending`. */
export function notePending({ entries, pending, first, end }: Block): void {
  let left: number = Pending.NOTHING;
  for (let page = first; page < end; page++) {
    const entry = entries[page];
    if (entry & Live.DIRTY) left |= entry & Live.BALLOONED ? Pending.LEFT : Pending.PAGES;
    else if (entry & Live.IGNORE) left |= Pending.LEFT;
  }
  pending[blockOf(first)] = left;
}

/** First page of the next block, from the block of `page` on, with one of the marks or wanted work; else the end. */
function nextOf({ range, pending }: TrackedRange, marks: number, wanted: number, page: number): number {
  const { blocks } = range;
  for (let block = blockOf(page); block < pending.length; block++)
    if (blocks[block] & marks || pending[block] & wanted) return block * BLOCK_PAGES;
  return range.pages;
}
