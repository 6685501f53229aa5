import { PAGE_SIZE } from '../../../formats/sizes.ts';
import { Turns } from '../../../formats/turns.ts';
import type { GuestPages } from './guest-pages.ts';
import { PageState, PageType } from './page-states.ts';
import { pgmError } from './pgm-errors.ts';
import { BLOCK_PAGES, BlockMark, PageFlag, type RamRange } from './ram-range.ts';
import type { RangeList } from './range-list.ts';

/**
 * Write monitoring, for one user at a time: `engage`, then `take` in rounds, at last `release`, also after a failure.
 *
 * An armed page is write-monitored until its first write; after that it is allocated, and has its written-to mark.
 */
export class WriteMonitor {
  readonly #ranges: RangeList;
  readonly #pages: GuestPages;
  #user: string | undefined;
  #rangeAt = 0;
  #page = 0;

  constructor(ranges: RangeList, pages: GuestPages) {
    this.#ranges = ranges;
    this.#pages = pages;
  }

  /** Name of the present user. */
  get user(): string | undefined {
    return this.#user;
  }

  /** @throws UsageError VERR_PGM_WRITE_MONITOR_ENGAGED */
  engage(user: string): void {
    if (this.#user !== undefined)
      throw pgmError(
        'VERR_PGM_WRITE_MONITOR_ENGAGED',
        `Cannot engage write monitoring for ${user}: ${this.#user} uses it`,
      );
    this.#user = user;
    this.rewind();
  }

  /** Monitors a page from now on. Ignores pages that are not RAM, or have no private memory. */
  arm(range: RamRange, page: number): void {
    this.#pages.apply('monitor', range, page);
  }

  /** Notes that a page was written without `write`, for instance through a mapping. */
  note(range: RamRange, page: number): void {
    if (range.state[page] === PageState.WRITE_MONITORED) this.#pages.apply('make-writable', range, page);
  }

  /**
   * Fills `frames` with page frames of RAM that may have changed since they were taken last (at first: all that have
   * memory), and arms each in the same step. A page that has become zero counts if it was monitored before.
   * @returns the number of frames; fewer than fit at the end of all ranges, after which the next call starts from the
   * beginning
   */
  take(frames: Uint32Array): number {
    const ranges = this.#ranges.all;
    let count = 0;
    for (; this.#rangeAt < ranges.length; this.#rangeAt++, this.#page = 0) {
      const range = ranges[this.#rangeAt];
      const first = range.start / PAGE_SIZE;
      for (;;) {
        const page = nextChanged(range, this.#page);
        this.#page = page;
        if (page === range.pages) break;
        if (count === frames.length) return count;
        frames[count++] = first + page;
        this.arm(range, page);
        this.#pages.markWritten(range, page, false);
        this.#page = page + 1;
      }
    }
    if (count < frames.length) this.rewind();
    return count;
  }

  /** Lets the next `take` start at the lowest page. */
  rewind(): void {
    this.#rangeAt = 0;
    this.#page = 0;
  }

  /** Ends the use: no page is monitored any more. Does nothing for a caller that is not the user. */
  release(user: string): void {
    if (this.#user !== user) return;
    for (const block of this.#monitoredBlocks()) this.#releaseBlock(block);
    this.#user = undefined;
  }

  /** Ends the use in small steps, between which the machine runs on; the monitor is in use until the end. */
  async releaseInTurns(user: string): Promise<void> {
    if (this.#user !== user) return;
    const turns = new Turns();
    for (const block of this.#monitoredBlocks()) {
      this.#releaseBlock(block);
      if (turns.areDue) await turns.give();
    }
    this.#user = undefined;
  }

  *#monitoredBlocks(): Generator<{ range: RamRange; first: number }> {
    for (const range of this.#ranges.all) {
      let first = range.nextMarked(BlockMark.MONITORED, 0);
      for (; first < range.pages; first = range.nextMarked(BlockMark.MONITORED, first)) yield { range, first };
    }
  }

  #releaseBlock({ range, first }: { range: RamRange; first: number }): void {
    range.mark(first, BlockMark.MONITORED, false);
    const end = range.blockEnd(first);
    for (let page = first; page < end; page++) {
      if (range.state[page] === PageState.WRITE_MONITORED || range.wasWritten(page))
        this.#pages.apply('unmonitor', range, page);
    }
  }
}

/**
 * The next RAM page from `page` on that may have changed: it has memory and is not monitored, it was written, or a
 * device has mapped it for writing. A block without such pages is skipped until one of its pages changes.
 */
function nextChanged(range: RamRange, page: number): number {
  const { state, flags, type, writeLocks, pages } = range;
  for (let i = range.nextMarked(BlockMark.CHANGED, page); i < pages; i = range.nextMarked(BlockMark.CHANGED, i)) {
    const end = range.blockEnd(i);
    const isWhole = i % BLOCK_PAGES === 0;
    for (; i < end; i++) {
      if (
        (state[i] === PageState.ALLOCATED || (flags[i] & PageFlag.WRITTEN_TO) !== 0 || writeLocks[i] > 0) &&
        type[i] === PageType.RAM
      )
        return i;
    }
    if (isWhole) range.mark(end - 1, BlockMark.CHANGED, false);
  }
  return pages;
}
