import type { Pass } from '../../formats/errors.ts';
import { PageKind } from '../../formats/pgm/page-batch.ts';
import { PAGE_SIZE } from '../../formats/sizes.ts';
import { Turns } from '../../formats/turns.ts';
import { offsetInChunk } from '../gmm/page-id.ts';
import type { GuestMemory } from '../pgm/guest-memory.ts';
import { PageState, PageType } from '../pgm/pages/page-states.ts';
import { BLOCK_PAGES, BlockMark, blockOf, type RamRange } from '../pgm/pages/ram-range.ts';
import type { LiveCounts } from './live-counters.ts';
import type { PageTaker } from './page-taker.ts';

/**
 * Bits of a page's entry; the upper 24 count how often it became dirty again. Source: PGMInternal.h,
 * PGMLIVESAVERAMPAGE.
 */
const Live = {
  DIRTY: 1,
  /** Never sent: no RAM. */
  IGNORE: 2,
  ZERO: 4,
  SHARED: 8,
  MONITORED: 16,
  /** The last scan has put it under monitoring: it has not been quiet for a whole pass yet. */
  MONITORED_JUST_NOW: 32,
  /** It was in the balloon when it was looked at last, and has been marked dirty for that. */
  BALLOONED: 64,
} as const;

/** What is known of RAM by its `PageState` when it is looked at first. */
const FIRST_ENTRY = Uint8Array.of(
  Live.DIRTY | Live.ZERO,
  Live.DIRTY,
  Live.DIRTY,
  Live.DIRTY | Live.SHARED,
  Live.DIRTY | Live.ZERO | Live.BALLOONED,
);

/** What a block of pages has for the passes to come. */
const Pending = {
  NOTHING: 0,
  /** Pages that any pass may take. */
  PAGES: 1,
  /** Pages that are for the final pass, but for an eager one: ballooned ones, and what may be RAM again by then. */
  LEFT: 2,
  /** Nobody has looked into it yet: its entries are still to be made. */
  UNKNOWN: 4,
} as const;

/** A range and what is known of its pages. */
interface TrackedRange {
  range: RamRange;
  /** `Live`, by page. */
  entries: Uint8Array;
  /** `Pending`, by block of `BLOCK_PAGES`: what `take` has to look into. */
  pending: Uint8Array;
}

/** Pages `[first, end)` of a range: one block. */
interface Block extends TrackedRange {
  first: number;
  end: number;
}

/**
 * Dirty tracking of RAM by write monitoring (live-save.md 4.1, 4.2): which pages are to be sent, and which have stood
 * still. Looks only into blocks that have something new: `scan` by the marks of the range, `take` by its own.
 */
export class RamTracker {
  readonly #memory: GuestMemory;
  readonly #counts: LiveCounts;
  readonly #tracked = new Map<RamRange, TrackedRange>();

  constructor(memory: GuestMemory, counts: LiveCounts) {
    this.#memory = memory;
    this.#counts = counts;
    for (const range of memory.ranges) this.#trackedOf(range);
  }

  /**
   * Looks at every page that may have changed: arms what was written, and marks what is to be sent. Lets others run in
   * between, not in the final pass.
   */
  async scan(pass: Pass): Promise<void> {
    const turns = new Turns();
    for (const block of this.#blocks((tracked, page) => nextOf(tracked, BlockMark.CHANGED, Pending.UNKNOWN, page))) {
      if (block.range.blocks[blockOf(block.first)] & BlockMark.CHANGED) this.#scan(block);
      if (pass !== 'final' && turns.areDue) await turns.give();
    }
  }

  /**
   * Takes the pages that have been quiet; in the final pass all that are dirty.
   * @param eager takes also what was armed just now, and what is in the balloon, which VirtualBox leaves to the final
   * pass
   */
  async take(pass: Pass, taker: PageTaker, eager: boolean): Promise<void> {
    const waits = eager ? 0 : Live.MONITORED_JUST_NOW | Live.BALLOONED;
    const wanted = Pending.UNKNOWN | Pending.PAGES | (pass === 'final' || eager ? Pending.LEFT : Pending.NOTHING);
    for (const block of this.#blocks((tracked, page) => nextOf(tracked, 0, wanted, page))) {
      let page = block.first;
      while (page < block.end) {
        page = pass === 'final' ? this.#takeFinal(block, page, taker) : this.#takeQuiet(block, page, taker, waits);
        if (taker.isFull) await taker.hand();
      }
      notePending(block);
      if (taker.isTurnDue) await taker.hand();
    }
  }

  /** Marks a page as still to be sent that has been taken. @param frame page frame */
  putBack(frame: number): void {
    const range = this.#memory.ranges.find(frame * PAGE_SIZE);
    const tracked = range && this.#tracked.get(range);
    if (!tracked) return;
    const page = range.pageOf(frame * PAGE_SIZE);
    const entry = tracked.entries[page];
    if (entry & (Live.DIRTY | Live.IGNORE)) return;
    this.#unready(entry);
    tracked.entries[page] = entry | Live.DIRTY;
    tracked.pending[blockOf(page)] |= Pending.PAGES;
  }

  /**
   * Blocks of the RAM ranges that `next` finds from a page on, ascending. Ranges may change between two of them; the
   * walk then goes on with the whole block that holds the same address.
   */
  *#blocks(next: (tracked: TrackedRange, page: number) => number): Generator<Block> {
    const { ranges } = this.#memory;
    let address = 0;
    for (let range = ranges.atOrAbove(address); range; range = ranges.atOrAbove(address)) {
      const tracked = this.#trackedOf(range);
      const from = blockOf(Math.max(0, range.pageOf(address))) * BLOCK_PAGES;
      const first = tracked ? next(tracked, from) : range.pages;
      const end = first < range.pages ? range.blockEnd(first) : range.pages;
      if (tracked && first < end)
        yield this.#known({ range, entries: tracked.entries, pending: tracked.pending, first, end });
      address = range.addressOf(end);
    }
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

  /** Makes the entries of a block that is looked into for the first time: all that is RAM is to be sent. */
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

  #scan(block: Block): void {
    const { range, entries, first, end } = block;
    const { type, state, writeLocks } = range;
    range.mark(first, BlockMark.CHANGED, false);
    let isNoisy = false;
    for (let page = first; page < end; page++) {
      const entry = entries[page];
      if (entry & Live.IGNORE) {
        // RAM again, which nobody arms: the next user of the monitor has to find it.
        if (type[page] === PageType.RAM) isNoisy = true;
        continue;
      }
      if (type[page] !== PageType.RAM) {
        entries[page] = this.#ignore(range, page, entry);
      } else if (state[page] === PageState.ALLOCATED) {
        entries[page] = this.#arm(range, page, entry);
      } else if (state[page] === PageState.WRITE_MONITORED) {
        if (writeLocks[page] === 0) entries[page] = entry & ~Live.MONITORED_JUST_NOW;
        // The original forgets to mark the page here.
        else entries[page] = this.#becameDirty(entry) | Live.MONITORED_JUST_NOW;
      } else entries[page] = this.#noteGone(range, page, entry);
      // Whether it stays quiet, the next scan has to see.
      if (entries[page] & Live.MONITORED_JUST_NOW) isNoisy = true;
    }
    if (isNoisy) range.mark(first, BlockMark.CHANGED, true);
    notePending(block);
  }

  /** A page that has no memory of its own, any more or as before: zero, ballooned or shared. */
  #noteGone(range: RamRange, page: number, entry: number): number {
    // The original leaves the mark, and counts the page as written for ever.
    this.#memory.pages.markWritten(range, page, false);
    switch (range.state[page]) {
      case PageState.SHARED:
        return entry & Live.SHARED ? entry : (this.#becameDirty(entry) & ~(Live.ZERO | Live.BALLOONED)) | Live.SHARED;
      case PageState.BALLOONED:
        // A page that was sent before it was ballooned: the original does not tell the other side.
        return entry & Live.BALLOONED ? entry : (this.#becameDirty(entry) & ~Live.SHARED) | Live.ZERO | Live.BALLOONED;
      default:
        if (entry & Live.BALLOONED) return this.#becameDirty(entry) & ~Live.BALLOONED;
        return entry & Live.ZERO ? entry : (this.#becameDirty(entry) & ~Live.SHARED) | Live.ZERO;
    }
  }

  #ignore(range: RamRange, page: number, entry: number): number {
    const { ram } = this.#counts;
    this.#counts.ignored++;
    if (entry & Live.MONITORED) ram.monitored--;
    if (range.state[page] === PageState.WRITE_MONITORED) this.#memory.pages.apply('unmonitor', range, page);
    else this.#memory.pages.markWritten(range, page, false);
    if (entry & Live.DIRTY) ram.dirty--;
    else {
      ram.ready--;
      if (entry & Live.ZERO) ram.zero--;
    }
    return (entry & ~(Live.DIRTY | Live.MONITORED | Live.MONITORED_JUST_NOW)) | Live.IGNORE;
  }

  #arm(range: RamRange, page: number, entry: number): number {
    if (!range.wasWritten(page)) this.#counts.ram.monitored++;
    this.#memory.monitor.arm(range, page);
    return (
      (this.#becameDirty(entry) & ~(Live.ZERO | Live.SHARED | Live.BALLOONED)) |
      Live.MONITORED |
      Live.MONITORED_JUST_NOW
    );
  }

  #becameDirty(entry: number): number {
    if (entry & Live.DIRTY) return entry;
    this.#unready(entry);
    return entry | Live.DIRTY;
  }

  #unready(entry: number): void {
    const { ram } = this.#counts;
    ram.ready--;
    ram.dirty++;
    if (entry & Live.ZERO) ram.zero--;
  }

  /** Takes pages from `page` on until the batch is full; gives where to go on. @param waits bits of those left alone */
  #takeQuiet({ range, entries, end }: Block, page: number, taker: PageTaker, waits: number): number {
    const { type, state, writeLocks } = range;
    let at = page;
    for (; at < end && !taker.isFull; at++) {
      const entry = entries[at];
      if (!(entry & Live.DIRTY) || entry & waits || type[at] !== PageType.RAM || writeLocks[at] > 0) continue;
      const gone = entry & Live.BALLOONED ? PageState.BALLOONED : PageState.ZERO;
      const quiet = entry & Live.ZERO ? gone : entry & Live.SHARED ? PageState.SHARED : PageState.WRITE_MONITORED;
      if (state[at] === quiet) this.#take(range, at, entries, taker);
      // Written since the scan: it stays dirty, for the next scan to arm it.
      else if (taker.onlyNames) taker.add(PageKind.RAM_RAW, range.start / PAGE_SIZE + at, 0, 0);
    }
    return at;
  }

  #takeFinal({ range, entries, end }: Block, page: number, taker: PageTaker): number {
    let at = page;
    for (; at < end && !taker.isFull; at++) {
      if (entries[at] & (Live.DIRTY | Live.IGNORE) && range.type[at] === PageType.RAM)
        this.#take(range, at, entries, taker);
    }
    return at;
  }

  #take(range: RamRange, page: number, entries: Uint8Array, taker: PageTaker): void {
    const { ram } = this.#counts;
    const frame = range.start / PAGE_SIZE + page;
    const state = range.state[page];
    const entry = entries[page];
    if (state === PageState.BALLOONED) taker.add(PageKind.RAM_BALLOONED, frame, 0, 0);
    else if (state === PageState.ZERO) taker.add(PageKind.RAM_ZERO, frame, 0, 0);
    else {
      const id = range.pageId[page];
      taker.addContent(
        PageKind.RAM_RAW,
        PageKind.RAM_ZERO,
        frame,
        0,
        this.#memory.pages.backing.chunkBytes(id),
        offsetInChunk(id),
      );
    }
    this.#counts.saved++;
    if (!(entry & Live.DIRTY)) return;
    entries[page] = entry & ~Live.DIRTY;
    ram.dirty--;
    ram.ready++;
    if (entry & Live.ZERO) ram.zero++;
  }
}

/** Notes what a block has for the passes to come. */
function notePending({ entries, pending, first, end }: Block): void {
  let left: number = Pending.NOTHING;
  for (let page = first; page < end; page++) {
    const entry = entries[page];
    if (entry & Live.DIRTY) left |= entry & Live.BALLOONED ? Pending.LEFT : Pending.PAGES;
    else if (entry & Live.IGNORE) left |= Pending.LEFT;
  }
  pending[blockOf(first)] = left;
}

/**
 * Where the first block from `page` on begins that has one of the marks, or something pending that is wanted; the end
 * of the range without one.
 */
function nextOf({ range, pending }: TrackedRange, marks: number, wanted: number, page: number): number {
  const { blocks } = range;
  for (let block = blockOf(page); block < pending.length; block++)
    if (blocks[block] & marks || pending[block] & wanted) return block * BLOCK_PAGES;
  return range.pages;
}
