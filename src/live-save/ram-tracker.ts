import type { Pass } from '../../formats/errors.ts';
import { PageKind } from '../../formats/pgm/page-batch.ts';
import { PAGE_SIZE } from '../../formats/sizes.ts';
import { Turns } from '../../formats/turns.ts';
import { offsetInChunk } from '../gmm/page-id.ts';
import type { GuestMemory } from '../pgm/guest-memory.ts';
import { PageState, PageType } from '../pgm/pages/page-states.ts';
import type { RamRange } from '../pgm/pages/ram-range.ts';
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
const DIRTIED_SHIFT = 8;
const DIRTIED_ONE = 1 << DIRTIED_SHIFT;
const DIRTIED_LIMIT = 0xfffff0;

/** Pages between two looks at what else is to be done: some 20 µs, up to 2 ms where all of them are armed. */
const STRETCH = 0x1000;

/**
 * Dirty tracking of RAM by write monitoring (live-save.md 4.1, 4.2): which pages are to be sent, and which have stood
 * still.
 */
export class RamTracker {
  readonly #memory: GuestMemory;
  readonly #counts: LiveCounts;
  #entries = new Map<RamRange, Uint32Array>();

  constructor(memory: GuestMemory, counts: LiveCounts) {
    this.#memory = memory;
    this.#counts = counts;
    for (const range of memory.ranges) this.#entriesOf(range);
  }

  /**
   * Looks at every page: arms what was written, and marks what is to be sent. Lets others run in between, not in the
   * final pass.
   */
  async scan(pass: Pass): Promise<void> {
    const turns = new Turns();
    for (const stretch of this.#stretches()) {
      this.#scan(stretch);
      if (pass !== 'final' && turns.areDue) await turns.give();
    }
  }

  /**
   * Takes the pages that have been quiet; in the final pass all that are dirty.
   * @param eager takes also what was armed just now, and what is in the balloon, which VirtualBox leaves to the final
   * pass
   */
  async take(pass: Pass, taker: PageTaker, eager: boolean): Promise<void> {
    const blocks = eager ? 0 : Live.MONITORED_JUST_NOW | Live.BALLOONED;
    for (const stretch of this.#stretches()) {
      let { page } = stretch;
      while (page < stretch.end) {
        page =
          pass === 'final'
            ? this.#takeFinal(stretch.range, page, stretch.end, taker)
            : this.#takeQuiet(stretch.range, page, stretch.end, taker, blocks);
        if (taker.isFull) await taker.hand();
      }
      await taker.hand();
    }
  }

  /** Marks a page as still to be sent that has been taken. @param frame page frame */
  putBack(frame: number): void {
    const range = this.#memory.ranges.find(frame * PAGE_SIZE);
    const entries = range && this.#entries.get(range);
    if (!entries) return;
    const page = range.pageOf(frame * PAGE_SIZE);
    const entry = entries[page];
    if (entry & (Live.DIRTY | Live.IGNORE)) return;
    this.#unready(entry);
    entries[page] = entry | Live.DIRTY;
  }

  /** How often a page became dirty again. */
  timesDirtied(frame: number): number {
    const range = this.#memory.ranges.find(frame * PAGE_SIZE);
    const entries = range && this.#entries.get(range);
    return entries ? entries[range.pageOf(frame * PAGE_SIZE)] >>> DIRTIED_SHIFT : 0;
  }

  /**
   * Pieces of the RAM ranges, ascending. Ranges may change between two of them; the walk then goes on at the same
   * address.
   */
  *#stretches(): Generator<{ range: RamRange; entries: Uint32Array; page: number; end: number }> {
    const { ranges } = this.#memory;
    let address = 0;
    for (let range = ranges.atOrAbove(address); range; range = ranges.atOrAbove(address)) {
      const entries = this.#entriesOf(range);
      const page = Math.max(0, range.pageOf(address));
      const end = entries ? Math.min(page + STRETCH, range.pages) : range.pages;
      if (entries) yield { range, entries, page, end };
      address = range.addressOf(end);
    }
  }

  #entriesOf(range: RamRange): Uint32Array | undefined {
    if (range.kind !== 'ram') return undefined;
    const known = this.#entries.get(range);
    if (known) return known;
    const entries = new Uint32Array(range.pages);
    for (let page = 0; page < range.pages; page++) {
      if (range.type[page] !== PageType.RAM) {
        entries[page] = Live.IGNORE;
        this.#counts.ignored++;
        continue;
      }
      const state = range.state[page];
      const zero = state === PageState.ZERO || state === PageState.BALLOONED;
      entries[page] = Live.DIRTY | (zero ? Live.ZERO : 0) | (state === PageState.SHARED ? Live.SHARED : 0);
      this.#counts.ram.dirty++;
    }
    this.#entries.set(range, entries);
    return entries;
  }

  #scan({
    range,
    entries,
    page: first,
    end,
  }: {
    range: RamRange;
    entries: Uint32Array;
    page: number;
    end: number;
  }): void {
    const { type, state, writeLocks } = range;
    for (let page = first; page < end; page++) {
      const entry = entries[page];
      if (entry & Live.IGNORE) continue;
      if (type[page] !== PageType.RAM) {
        entries[page] = this.#ignore(range, page, entry);
      } else if (state[page] === PageState.ALLOCATED) {
        entries[page] = this.#arm(range, page, entry);
      } else if (state[page] === PageState.WRITE_MONITORED) {
        if (writeLocks[page] === 0) entries[page] = entry & ~Live.MONITORED_JUST_NOW;
        // The original forgets to mark the page here.
        else entries[page] = this.#dirtied(entry) | Live.MONITORED_JUST_NOW;
      } else entries[page] = this.#noteGone(range, page, entry);
    }
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
      (this.#dirtied(entry) & ~(Live.ZERO | Live.SHARED | Live.BALLOONED)) | Live.MONITORED | Live.MONITORED_JUST_NOW
    );
  }

  /** Marks a page dirty, and counts that it became so again. */
  #dirtied(entry: number): number {
    if (entry & Live.DIRTY) return entry;
    const marked = this.#becameDirty(entry);
    return marked >>> DIRTIED_SHIFT < DIRTIED_LIMIT ? marked + DIRTIED_ONE : marked;
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

  /** Takes pages from `page` on until the batch is full; gives where to go on. */
  #takeQuiet(range: RamRange, page: number, end: number, taker: PageTaker, blocks: number): number {
    const entries = this.#entries.get(range) as Uint32Array;
    const { type, state, writeLocks } = range;
    let at = page;
    for (; at < end && !taker.isFull; at++) {
      const entry = entries[at];
      if (!(entry & Live.DIRTY) || entry & blocks || type[at] !== PageType.RAM || writeLocks[at] > 0) continue;
      const gone = entry & Live.BALLOONED ? PageState.BALLOONED : PageState.ZERO;
      const quiet = entry & Live.ZERO ? gone : entry & Live.SHARED ? PageState.SHARED : PageState.WRITE_MONITORED;
      if (state[at] === quiet) this.#take(range, at, entries, taker);
      // Written since the scan: it stays dirty, for the next scan to arm it.
      else if (taker.onlyNames) taker.add(PageKind.RAM_RAW, range.start / PAGE_SIZE + at, 0, 0);
    }
    return at;
  }

  #takeFinal(range: RamRange, page: number, end: number, taker: PageTaker): number {
    const entries = this.#entries.get(range) as Uint32Array;
    let at = page;
    for (; at < end && !taker.isFull; at++) {
      if (entries[at] & (Live.DIRTY | Live.IGNORE) && range.type[at] === PageType.RAM)
        this.#take(range, at, entries, taker);
    }
    return at;
  }

  #take(range: RamRange, page: number, entries: Uint32Array, taker: PageTaker): void {
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
