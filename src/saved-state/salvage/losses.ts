import type { PgmConfig } from '../../../formats/pgm/head.ts';
import { OldPageType, type OldRange } from '../../../formats/pgm/old-ranges.ts';
import { LOW_HOLE_END, LOW_HOLE_START, ramLayout } from '../../../formats/pgm/ranges.ts';
import { FOUR_GIB, PAGE_SIZE } from '../../../formats/units.ts';
import { memoryMap } from '../memory-map.ts';
import { PageHashes } from '../page-hashes.ts';
import type { SavedState } from '../state.ts';
import type { PageGroup, PassPages } from './page-survey.ts';

/** Pages of one range that are missing, `[start, end)`: guest-physical addresses for RAM and ROM, offsets for MMIO2. */
export interface LostRun {
  /** `unknown`: of versions 6 to 9, where damage took what tells RAM from ROM. */
  group: PageGroup | 'unknown';
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
  /** Whole passes may be missing before it. */
  lostBefore: boolean;
}

/** The pages that a whole state would hold, by group. */
export interface ExpectedPages {
  group: LostRun['group'];
  range: string;
  start: number;
  count: number;
  /** Address of page number `start`; of MMIO2 the offset. */
  address: number;
}

/** ROMs whose shadows VirtualBox saves; in others it does not put any (seen in 7.2.22). */
const SHADOWED_ROM = /^(Net Boot ROM|EFI Firmware Volume.*)$/;

/**
 * @param hasShadow whether a shadow of the ROM with this id was seen
 * @returns what can be known; `untold` where ranges are missing that nothing names
 */
export function expectedPages(state: SavedState, hasShadow: (id: number) => boolean): { expected: ExpectedPages[]; untold: boolean } {
  const { config, oldRanges, ramSize, isOldComplete } = { ...NO_PGM, ...state.pgm, isOldComplete: state.pgm?.oldRanges.every(isRead) ?? false };
  if (config) return { expected: [...ramOf(state), ...rangesOf(config, hasShadow)], untold: false };
  const ranges = oldRanges.flatMap(oldPages);
  const { highEnd } = ramLayout(ramSize ?? 0);
  const hasHigh = oldRanges.some(({ start }) => start === FOUR_GIB);
  if (oldRanges.length === 0) return { expected: ramOf(state, ramSize ?? state.mm?.ramSize ?? 0), untold: true };
  return { expected: hasHigh ? ranges : [...ranges, ...pagesFrom('RAM', 'RAM', FOUR_GIB, highEnd)], untold: !isOldComplete };
}

const NO_PGM = { config: undefined, oldRanges: [], ramSize: undefined };

function ramOf(state: SavedState, size?: number): ExpectedPages[] {
  const regions = size === undefined ? memoryMap(state).filter(({ kind }) => kind === 'ram') : ramStretchesOf(size);
  return regions.flatMap(({ start, end }) => pagesFrom('RAM', 'RAM', start, end));
}

function ramStretchesOf(size: number): { start: number; end: number }[] {
  const { lowEnd, highEnd } = ramLayout(size);
  return [
    { start: 0, end: Math.min(lowEnd, LOW_HOLE_START) },
    { start: LOW_HOLE_END, end: lowEnd },
    { start: FOUR_GIB, end: highEnd },
  ];
}

/** Of guest-physical addresses `[start, end)`, numbered by them. */
function pagesFrom(group: LostRun['group'], range: string, start: number, end: number): ExpectedPages[] {
  return start < end ? [{ group, range, start: start / PAGE_SIZE, count: (end - start) / PAGE_SIZE, address: start }] : [];
}

function rangesOf({ roms, mmio2 }: PgmConfig, hasShadow: (id: number) => boolean): ExpectedPages[] {
  const pages: ExpectedPages[] = [];
  for (const { id, description, address, size } of roms) {
    const rom = { range: description, start: 0, count: size / PAGE_SIZE, address };
    pages.push({ group: `ROM ${id}`, ...rom });
    if (SHADOWED_ROM.test(description) || hasShadow(id)) pages.push({ group: `shadow ${id}`, ...rom });
  }
  for (const { id, description, size } of mmio2) {
    pages.push({ group: `MMIO2 ${id}`, range: description, start: 0, count: size / PAGE_SIZE, address: 0 });
  }
  return pages;
}

/** What two readings of the same ranges agree on, from the first on. */
export function commonRanges(a: readonly OldRange[], b: readonly OldRange[]): OldRange[] {
  const common: OldRange[] = [];
  for (const [i, range] of a.entries()) {
    const other = b[i];
    if (other?.start !== range.start || other.pages !== range.pages || other.description !== range.description) return common;
    const runs = range.runs.filter(({ type, page }, at) => other.runs[at]?.type === type && other.runs[at]?.page === page);
    const last = runs.at(-1);
    const counts = last ? [last.count, other.runs[runs.length - 1].count] : [0];
    common.push({ ...range, runs: last ? [...runs.slice(0, -1), { ...last, count: Math.min(...counts) }] : [] });
    if (runs.length < range.runs.length || new Set(counts).size > 1) return common;
  }
  return common;
}

function isRead({ runs, pages }: OldRange): boolean {
  return runs.reduce((sum, { count }) => sum + count, 0) === pages;
}

/** Versions 6 to 9: each page has its type; behind damage only the range's end is known. */
function oldPages(range: OldRange): ExpectedPages[] {
  const { index, start, pages, ownMemory, description, runs } = range;
  const name = description === '' ? `RAM range ${index}` : description;
  const expected: ExpectedPages[] = [];
  let reached = 0;
  for (const { type, page, count } of runs) {
    const rom = { range: name, start: page, count, address: start + page * PAGE_SIZE };
    reached = page + count;
    if (type === OldPageType.RAM) expected.push(...pagesFrom('RAM', 'RAM', rom.address, rom.address + count * PAGE_SIZE));
    else if (type === OldPageType.MMIO2) expected.push({ ...rom, group: `MMIO2 ${index}`, address: page * PAGE_SIZE });
    else if (type === OldPageType.ROM || type === OldPageType.ROM_SHADOW) expected.push({ ...rom, group: `ROM ${index}` });
    if (type === OldPageType.ROM_SHADOW) expected.push({ ...rom, group: `shadow ${index}` });
  }
  if (reached === pages) return expected;
  const rest = { range: name, start: reached, count: pages - reached, address: start + reached * PAGE_SIZE };
  return [...expected, ownMemory ? { ...rest, group: `MMIO2 ${index}`, address: reached * PAGE_SIZE } : { ...rest, group: 'unknown' }];
}

/** Lists what is missing. @param cut passes may be missing behind the last one */
export function lostPages(expected: readonly ExpectedPages[], passes: readonly PassRecord[], cut: boolean): LostRun[] {
  const runs: LostRun[] = [];
  // A copy from before a pass that lost unknown pages may have been replaced there.
  const doubtedBefore = cut ? passes.length : passes.findLastIndex(({ complete, lostBefore }) => !complete || lostBefore);
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

  constructor(passes: readonly PassRecord[], group: LostRun['group'], doubtedBefore: number) {
    this.#passes = group === 'unknown' ? [] : passes.map(({ certain, seen }) => ({ certain: certain.get(group) ?? NONE, seen: seen.get(group) ?? NONE }));
    // The ROM itself is written in the first pass and never again.
    this.#doubtedBefore = group.startsWith('ROM ') ? -1 : doubtedBefore;
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
