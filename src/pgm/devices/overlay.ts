import { hex } from '../../../formats/errors.ts';
import type { GuestPhys } from '../../../formats/sizes.ts';
import type { GuestPages } from '../pages/guest-pages.ts';
import { PAGE_TYPE_NAMES, PageState } from '../pages/page-states.ts';
import { pgmError } from '../pages/pgm-errors.ts';
import type { RamRange } from '../pages/ram-range.ts';
import { type RangeList, rangeConflict } from '../pages/range-list.ts';

/** Pages `[first, last]` of a range. */
export interface PageStretch {
  range: RamRange;
  first: number;
  last: number;
}

/**
 * Pages that device memory or ROM at `[start, start + size)` would cover: pages of the given types, all of one range;
 * undefined for a hole.
 * @throws UsageError VERR_PGM_RAM_CONFLICT, also where a device has a page mapped
 */
export function findOverlaid(
  ranges: RangeList,
  what: string,
  start: GuestPhys,
  size: number,
  types: readonly number[],
): PageStretch | undefined {
  const end = start + size;
  const range = ranges.firstOverlap(start, end);
  if (!range) return undefined;
  if (start < range.start || end > range.end) throw rangeConflict(what, start, end, range);
  const stretch = { range, first: range.pageOf(start), last: range.pageOf(end - 1) };
  for (let page = stretch.first; page <= stretch.last; page++) {
    const isLocked = range.readLocks[page] > 0 || range.writeLocks[page] > 0;
    if (types.includes(range.type[page]) && !isLocked) continue;
    const there =
      `the page at ${hex(range.addressOf(page))} is ` +
      `${isLocked ? 'locked' : `of type ${PAGE_TYPE_NAMES[range.type[page]]}`}`;
    throw pgmError('VERR_PGM_RAM_CONFLICT', `Cannot put ${what} at ${hex(start)}: ${there}`, { gcPhys: start });
  }
  return stretch;
}

/** Frees RAM pages that get covered; their contents are lost. */
export function freeOverlaid(pages: GuestPages, { range, first, last }: PageStretch): void {
  for (let page = first; page <= last; page++)
    if (range.state[page] !== PageState.ZERO) dropContent(pages, range, page);
  pages.flush();
}

function dropContent(pages: GuestPages, range: RamRange, page: number): void {
  pages.apply(range.state[page] === PageState.BALLOONED ? 'deflate' : 'free', range, page);
}
