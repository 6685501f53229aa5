import type { PgmConfig } from '../../../formats/pgm/head.ts';
import { OldPageType, type OldRange } from '../../../formats/pgm/old-ranges.ts';
import { LOW_HOLE_END, LOW_HOLE_START, ramLayout } from '../../../formats/pgm/ranges.ts';
import { pgmVersion } from '../../../formats/pgm/versions.ts';
import { FOUR_GIB, PAGE_SIZE } from '../../../formats/sizes.ts';
import { memoryMap } from '../layout/memory-map.ts';
import type { SavedState } from '../reading/state.ts';
import { holdsRam, isRead, SHADOWED_ROM } from './known-ranges.ts';
import type { PageGroup } from './page-survey.ts';

/** The pages that a whole state would hold, by group. */
export interface ExpectedPages {
  group: PageGroup | 'unknown';
  range: string;
  start: number;
  count: number;
  /** Address of page number `start`; of MMIO2 the offset. */
  address: number;
}

/**
 * @param state for versions 6 to 9 with the certain, or completed, ranges
 * @param hasShadow whether a shadow of the ROM with this id was seen
 * @returns the known pages; `untold` if unnamed ranges of ROMs and device memory are missing
 */
export function expectedPages(
  state: SavedState,
  hasShadow: (id: number) => boolean,
): { expected: ExpectedPages[]; untold: boolean } {
  const { config, oldRanges, ramSize } = { ...NO_PGM, ...state.pgm };
  if (config) return { expected: [...ramOf(state), ...rangesOf(config, hasShadow)], untold: false };
  const size = ramSize ?? state.mm?.ramSize ?? 0;
  const unread = [...ramOf(state, size), ...lowHoleOf(state, size)].flatMap((ram) => outsideOf(ram, oldRanges));
  return {
    expected: [...oldRanges.flatMap(oldPages), ...unread],
    untold: oldRanges.length === 0 || !oldRanges.every(isRead),
  };
}

const NO_PGM = { config: undefined, oldRanges: [], ramSize: undefined };

/** The pages from 0xA0000 to 0xFFFFF, which releases with versions 6 to 9 listed among the RAM. */
function lowHoleOf({ pgm }: SavedState, size: number): ExpectedPages[] {
  const isOld = pgm !== undefined && pgmVersion(pgm.version)?.pages !== 'records' && pgm.pageTypes === 'original';
  return isOld && size >= LOW_HOLE_END ? pagesFrom('unknown', 'RAM range 0', LOW_HOLE_START, LOW_HOLE_END) : [];
}

/** The parts of RAM that no range covers. A range covers a whole stretch, or more. */
function outsideOf(ram: ExpectedPages, ranges: readonly OldRange[]): ExpectedPages[] {
  let { start } = ram;
  const end = start + ram.count;
  for (const range of ranges) {
    const first = range.start / PAGE_SIZE;
    if (first <= start && first + range.pages > start) start = Math.min(end, first + range.pages);
  }
  return pagesFrom(ram.group, ram.range, start * PAGE_SIZE, end * PAGE_SIZE);
}

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

/** Pages of guest-physical addresses `[start, end)`, numbered by page frame. */
function pagesFrom(group: PageGroup | 'unknown', range: string, start: number, end: number): ExpectedPages[] {
  return start < end
    ? [{ group, range, start: start / PAGE_SIZE, count: (end - start) / PAGE_SIZE, address: start }]
    : [];
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

/** Versions 6 to 9: each page has its type; after damage only the range's end is known. */
function oldPages(range: OldRange): ExpectedPages[] {
  const { index, start, pages, ownMemory, description, runs } = range;
  const name = description === '' ? `RAM range ${index}` : description;
  // Ranges of device memory hold nothing else, even if damage has changed the types of their pages.
  if (ownMemory && (runs[0]?.type ?? OldPageType.MMIO2) === OldPageType.MMIO2)
    return [{ group: `MMIO2 ${index}`, range: name, start: 0, count: pages, address: 0 }];
  const expected: ExpectedPages[] = [];
  let reached = 0;
  for (const { type, page, count } of runs) {
    const rom = { range: name, start: page, count, address: start + page * PAGE_SIZE };
    reached = page + count;
    if (type === OldPageType.RAM)
      expected.push(...pagesFrom('RAM', 'RAM', rom.address, rom.address + count * PAGE_SIZE));
    else if (type === OldPageType.MMIO2)
      expected.push(
        ownMemory ? { ...rom, group: `MMIO2 ${index}`, address: page * PAGE_SIZE } : { ...rom, group: 'unknown' },
      );
    else if (type === OldPageType.ROM || type === OldPageType.ROM_SHADOW)
      expected.push({ ...rom, group: `ROM ${index}` });
    if (type === OldPageType.ROM_SHADOW) expected.push({ ...rom, group: `shadow ${index}` });
  }
  if (reached === pages) return expected;
  const rest = { range: name, start: reached, count: pages - reached, address: start + reached * PAGE_SIZE };
  return [...expected, ...(holdsRam(range) ? restOfRam(rest) : [{ ...rest, group: 'unknown' as const }])];
}

/** Pages of a range of RAM whose types are lost: between 0xA0000 and 0xFFFFF they may be others than RAM. */
function restOfRam({ range, address, count }: Omit<ExpectedPages, 'group'>): ExpectedPages[] {
  const end = address + count * PAGE_SIZE;
  return [
    ...pagesFrom('RAM', 'RAM', address, Math.min(end, LOW_HOLE_START)),
    ...pagesFrom('unknown', range, Math.max(address, LOW_HOLE_START), Math.min(end, LOW_HOLE_END)),
    ...pagesFrom('RAM', 'RAM', Math.max(address, LOW_HOLE_END), end),
  ];
}
