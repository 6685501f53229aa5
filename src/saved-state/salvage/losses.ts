import { PAGE_SIZE } from '../../../formats/units.ts';
import { memoryMap } from '../memory-map.ts';
import { PageHashes } from '../page-hashes.ts';
import type { SavedState } from '../state.ts';
import type { PageGroup, PassPages } from './page-survey.ts';

/** Pages of one range that are missing, `[start, end)`: guest-physical addresses for RAM and ROM, offsets for MMIO2. */
export interface LostRun {
  group: PageGroup;
  range: string;
  /** Page numbers as in page records, `[first, last]`. */
  first: number;
  last: number;
  start: number;
  end: number;
  /** `lost`: no copy at all; `stale`: only a copy that a live save has later replaced, or may have. */
  what: 'lost' | 'stale';
}

/** What is known of the pages of a pass. */
export interface PassRecord {
  certain: PassPages;
  /** All that was read, certain or not. */
  seen: PassPages;
  /** All of it was read, and nothing of it depends on damage: it can be copied as it is. */
  isWhole: boolean;
  /** Nothing of the pass is missing but what was seen and is not certain. */
  complete: boolean;
}

/** The pages that a whole state would hold, by group. */
export interface ExpectedPages {
  group: PageGroup;
  range: string;
  start: number;
  count: number;
  /** Address of page number `start`. */
  address: number;
}

export function expectedPages(state: SavedState): ExpectedPages[] {
  const config = state.pgm?.config;
  const map = memoryMap(state);
  if (!config) {
    return map.flatMap(({ kind, id, firstPage = 0, start, end, name }): ExpectedPages[] => {
      const count = (end - start) / PAGE_SIZE;
      if (kind === 'ram') return [ramPages(start, end)];
      if (kind === 'mmio') return [];
      return [{ group: `${kind === 'rom' ? 'ROM' : 'MMIO2'} ${id ?? 0}`, range: name, start: firstPage, count, address: start }];
    });
  }
  const ram = map.filter(({ kind }) => kind === 'ram').map(({ start, end }) => ramPages(start, end));
  const roms = config.roms.map(
    ({ id, description, address, size }): ExpectedPages => ({ group: `ROM ${id}`, range: description, start: 0, count: size / PAGE_SIZE, address }),
  );
  const mmio2 = config.mmio2.map(
    ({ id, description, size }): ExpectedPages => ({ group: `MMIO2 ${id}`, range: description, start: 0, count: size / PAGE_SIZE, address: 0 }),
  );
  return [...ram, ...roms, ...mmio2];
}

function ramPages(start: number, end: number): ExpectedPages {
  return { group: 'RAM', range: 'RAM', start: start / PAGE_SIZE, count: (end - start) / PAGE_SIZE, address: start };
}

/** Lists what is missing. @param cut passes may be missing behind the last one */
export function lostPages(expected: readonly ExpectedPages[], passes: readonly PassRecord[], cut: boolean): LostRun[] {
  const runs: LostRun[] = [];
  // A copy from before a pass that lost unknown pages may have been replaced there.
  const doubtedBefore = cut ? passes.length : passes.findLastIndex(({ complete }) => !complete);
  for (const range of expected) {
    const fates = new PageFates(passes, range.group, doubtedBefore);
    for (let page = range.start; page < range.start + range.count; page++) {
      const what = fates.of(page);
      if (what === 'kept') continue;
      const address = range.address + (page - range.start) * PAGE_SIZE;
      const last = runs.at(-1);
      if (last && last.group === range.group && last.end === address && last.last === page - 1 && last.what === what) {
        last.last = page;
        last.end += PAGE_SIZE;
      } else runs.push({ group: range.group, range: range.range, first: page, last: page, start: address, end: address + PAGE_SIZE, what });
    }
  }
  return runs;
}

const NONE = new PageHashes();

class PageFates {
  readonly #passes: { certain: PageHashes; seen: PageHashes }[];
  readonly #doubtedBefore: number;

  constructor(passes: readonly PassRecord[], group: PageGroup, doubtedBefore: number) {
    this.#passes = passes.map(({ certain, seen }) => ({ certain: certain.get(group) ?? NONE, seen: seen.get(group) ?? NONE }));
    this.#doubtedBefore = doubtedBefore;
  }

  of(page: number): 'kept' | LostRun['what'] {
    let replaced = false;
    for (let pass = this.#passes.length - 1; pass >= 0; pass--) {
      const { certain, seen } = this.#passes[pass];
      if (certain.get(page) !== 0n) return replaced || pass < this.#doubtedBefore ? 'stale' : 'kept';
      if (seen.get(page) !== 0n) replaced = true;
    }
    return 'lost';
  }
}
