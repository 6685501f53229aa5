import type { Pass } from '../../formats/errors.ts';
import { PageKind } from '../../formats/pgm/page-batch.ts';
import { PAGE_SIZE } from '../../formats/sizes.ts';
import { Turns } from '../../formats/turns.ts';
import { offsetInChunk } from '../gmm/page-id.ts';
import type { GuestMemory } from '../pgm/guest-memory.ts';
import { PageState, PageType } from '../pgm/pages/page-states.ts';
import { BlockMark, blockOf, type RamRange } from '../pgm/pages/ram-range.ts';
import type { LiveCounts } from './live-counters.ts';
import type { PageTaker } from './page-taker.ts';
import { type Block, Live, notePending, Pending, TrackedRam } from './tracked-ram.ts';

/**
 * Dirty tracking of RAM by write monitoring (live-save.md 4.1, 4.2): finds pages to be sent, and pages that have been
 * quiet. `scan` looks only into blocks with the mark `CHANGED`, `take` into those with `Pending` work.
 */
export class RamTracker {
  readonly #memory: GuestMemory;
  readonly #counts: LiveCounts;
  readonly #tracked: TrackedRam;

  constructor(memory: GuestMemory, counts: LiveCounts) {
    this.#memory = memory;
    this.#counts = counts;
    this.#tracked = new TrackedRam(memory.ranges, counts);
  }

  /**
   * Looks at every page that may have changed: arms written pages, and marks pages to be sent. Gives other work its
   * turn, except in the final pass.
   */
  async scan(pass: Pass): Promise<void> {
    const turns = new Turns();
    for (const block of this.#tracked.blocks(BlockMark.CHANGED, Pending.UNKNOWN)) {
      if (block.range.blocks[blockOf(block.first)] & BlockMark.CHANGED) this.#scan(block);
      if (pass !== 'final' && turns.areDue) await turns.give();
    }
  }

  /**
   * Takes the pages that have been quiet; in the final pass all that are dirty.
   * @param eager also takes pages that were armed just now, and ballooned ones, which VirtualBox leaves to the final
   * pass
   */
  async take(pass: Pass, taker: PageTaker, eager: boolean): Promise<void> {
    const waits = eager ? 0 : Live.MONITORED_JUST_NOW | Live.BALLOONED;
    const wanted = Pending.UNKNOWN | Pending.PAGES | (pass === 'final' || eager ? Pending.LEFT : Pending.NOTHING);
    for (const block of this.#tracked.blocks(0, wanted)) {
      let page = block.first;
      while (page < block.end) {
        page = pass === 'final' ? this.#takeFinal(block, page, taker) : this.#takeQuiet(block, page, taker, waits);
        if (taker.isFull) await taker.hand();
      }
      notePending(block);
      if (taker.isTurnDue) await taker.hand();
    }
  }

  /** Marks a page that has been taken as still to be sent. @param frame page frame */
  putBack(frame: number): void {
    const range = this.#memory.ranges.find(frame * PAGE_SIZE);
    const tracked = range && this.#tracked.of(range);
    if (!tracked) return;
    const page = range.pageOf(frame * PAGE_SIZE);
    const entry = tracked.entries[page];
    if (entry & (Live.DIRTY | Live.IGNORE)) return;
    this.#unready(entry);
    tracked.entries[page] = entry | Live.DIRTY;
    tracked.pending[blockOf(page)] |= Pending.PAGES;
  }

  #scan(block: Block): void {
    const { range, entries, first, end } = block;
    const { type, state, writeLocks } = range;
    range.mark(first, BlockMark.CHANGED, false);
    let isNoisy = false;
    for (let page = first; page < end; page++) {
      const entry = entries[page];
      if (entry & Live.IGNORE) {
        // The page is RAM again, but was never armed here: the next user of the monitor has to find it.
        if (type[page] === PageType.RAM) isNoisy = true;
        continue;
      }
      if (type[page] !== PageType.RAM) {
        entries[page] = this.#ignore(range, page, entry);
      } else if (state[page] === PageState.ALLOCATED) {
        entries[page] = this.#arm(range, page, entry);
      } else if (state[page] === PageState.WRITE_MONITORED) {
        if (writeLocks[page] === 0) entries[page] = entry & ~Live.MONITORED_JUST_NOW;
        // VirtualBox forgets to mark the page here.
        else entries[page] = this.#becameDirty(entry) | Live.MONITORED_JUST_NOW;
      } else entries[page] = this.#noteGone(range, page, entry);
      // The next scan has to see whether the page stays quiet.
      if (entries[page] & Live.MONITORED_JUST_NOW) isNoisy = true;
    }
    if (isNoisy) range.mark(first, BlockMark.CHANGED, true);
    notePending(block);
  }

  /** Entry of a page without memory of its own: zero, ballooned or shared. */
  #noteGone(range: RamRange, page: number, entry: number): number {
    // VirtualBox leaves the mark, and counts the page as written for ever.
    this.#memory.pages.markWritten(range, page, false);
    switch (range.state[page]) {
      case PageState.SHARED:
        return entry & Live.SHARED ? entry : (this.#becameDirty(entry) & ~(Live.ZERO | Live.BALLOONED)) | Live.SHARED;
      case PageState.BALLOONED:
        // For a page that was sent before it was ballooned, VirtualBox does not tell the other side.
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

  /**
   * Takes pages from `page` on until the batch is full; returns the next page. @param waits bits of pages to be left
   * alone
   */
  #takeQuiet({ range, entries, end }: Block, page: number, taker: PageTaker, waits: number): number {
    const { type, state, writeLocks } = range;
    let at = page;
    for (; at < end && !taker.isFull; at++) {
      const entry = entries[at];
      if (!(entry & Live.DIRTY) || entry & waits || type[at] !== PageType.RAM || writeLocks[at] > 0) continue;
      const gone = entry & Live.BALLOONED ? PageState.BALLOONED : PageState.ZERO;
      const quiet = entry & Live.ZERO ? gone : entry & Live.SHARED ? PageState.SHARED : PageState.WRITE_MONITORED;
      if (state[at] === quiet) this.#take(range, at, entries, taker);
      // A page that was written since the scan stays dirty, and the next scan arms it.
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
