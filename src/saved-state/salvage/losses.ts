import { PAGE_SIZE } from '../../../formats/sizes.ts';
import { FrameSet } from '../reading/frame-set.ts';
import { BLOCK } from '../reading/number-set.ts';
import type { ExpectedPages } from './expected-pages.ts';
import type { PageGroup } from './page-survey.ts';
import type { PassPages } from './two-readings.ts';

/** Missing pages of one range, `[start, end)`: guest-physical addresses for RAM and ROM, offsets for MMIO2. */
export interface LostRun {
  /** `unknown`: versions 6 to 9, if damage has destroyed the types that distinguish RAM from ROM. */
  group: PageGroup | 'unknown';
  /** Name of the range. */
  range: string;
  /** Page numbers as in page records, `[first, last]`. */
  first: number;
  /** Inclusive. */
  last: number;
  /** Offset of the first byte. */
  start: number;
  /** Exclusive. */
  end: number;
  /** `lost`: no copy at all; `stale`: only a copy that a live save has later replaced, or may have replaced. */
  what: 'lost' | 'stale';
}

/** Facts about the pages of a pass. */
export interface PassRecord {
  certain: PassPages;
  /** All pages that were read, certain or not. */
  seen: PassPages;
  /** The whole pass was read, and no part of it depends on damaged bytes: it can be copied as it is. */
  isWhole: boolean;
  /** Only pages that were seen and are not certain are missing from the pass. */
  complete: boolean;
  /** Whole passes may be missing before it. */
  lostBefore: boolean;
}

/** Lists the missing pages. @param cut passes may be missing after the last one */
export function lostPages(expected: readonly ExpectedPages[], passes: readonly PassRecord[], cut: boolean): LostRun[] {
  const runs: LostRun[] = [];
  // A pass that lost pages may have held newer copies of pages from the passes before it.
  const doubtedBefore = cut
    ? passes.length
    : passes.findLastIndex(({ complete, lostBefore }) => !complete || lostBefore);
  for (const range of expected) {
    const fates = new PageFates(passes, range.group, doubtedBefore);
    for (const { start, end, fate } of fates.within(range.start, range.start + range.count)) {
      if (fate === 'kept') continue;
      const address = range.address + (start - range.start) * PAGE_SIZE;
      const size = (end - start) * PAGE_SIZE;
      const last = runs.at(-1);
      if (last && last.group === range.group && last.end === address && last.last === start - 1 && last.what === fate) {
        last.last = end - 1;
        last.end += size;
      } else
        runs.push({
          group: range.group,
          range: range.range,
          first: start,
          last: end - 1,
          start: address,
          end: address + size,
          what: fate,
        });
    }
  }
  return runs;
}

type Fate = 'kept' | LostRun['what'];

/** Pages `[start, end)` with the same fate. */
interface Stretch {
  start: number;
  end: number;
  fate: Fate;
}

const NONE = new FrameSet();

class PageFates {
  readonly #passes: { certain: FrameSet; seen: FrameSet }[];
  readonly #doubtedBefore: number;

  constructor(passes: readonly PassRecord[], group: LostRun['group'], doubtedBefore: number) {
    this.#passes =
      group === 'unknown'
        ? []
        : passes.map(({ certain, seen }) => ({ certain: certain.get(group) ?? NONE, seen: seen.get(group) ?? NONE }));
    // The ROM itself is written in the first pass and never again.
    this.#doubtedBefore = group.startsWith('ROM ') ? -1 : doubtedBefore;
  }

  /**
   * The fates of pages `[start, end)`, in order. Takes time only for pages that were seen, since a file may claim any
   * number of pages.
   */
  *within(start: number, end: number): Generator<Stretch> {
    let page = start;
    for (const seen of this.#seenBlocks()) {
      const first = Math.min(end, Math.max(page, seen));
      if (first > page) yield { start: page, end: first, fate: 'lost' };
      page = first;
      for (const blockEnd = Math.min(end, seen + BLOCK); page < blockEnd; page++)
        yield { start: page, end: page + 1, fate: this.#of(page) };
    }
    if (page < end) yield { start: page, end, fate: 'lost' };
  }

  #seenBlocks(): number[] {
    const starts = this.#passes.flatMap(({ seen }) => seen.blockStarts());
    return [...new Set(starts)].sort((a, b) => a - b);
  }

  #of(page: number): Fate {
    let replaced = false;
    for (let pass = this.#passes.length - 1; pass >= 0; pass--) {
      const { certain, seen } = this.#passes[pass];
      if (certain.has(page)) return replaced || pass < this.#doubtedBefore ? 'stale' : 'kept';
      if (seen.has(page)) replaced = true;
    }
    return 'lost';
  }
}
