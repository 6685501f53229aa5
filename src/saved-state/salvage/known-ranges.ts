import { OldPageType, type OldRange } from '../../../formats/pgm/old-ranges.ts';
import { ramLayout } from '../../../formats/pgm/ranges.ts';
import { pgmVersion } from '../../../formats/pgm/versions.ts';
import { FOUR_GIB, PAGE_SIZE } from '../../../formats/sizes.ts';
import type { MachineLayout } from '../layout/machine-layout.ts';
import { planOldRanges } from '../old/old-plan.ts';
import type { SavedState } from '../reading/state.ts';
import type { PagePlace } from './page-survey.ts';

// Versions 6 to 9 store names of ranges and types of pages among the pages. These functions tell which ranges and types
// are known after damage.

/** ROMs whose shadows VirtualBox saves; it saves no shadows of others (seen in 7.2.22). */
export const SHADOWED_ROM = /^(Net Boot ROM|EFI Firmware Volume.*)$/;

/** The ranges on which two readings agree, from the first range on. */
export function commonRanges(a: readonly OldRange[], b: readonly OldRange[]): OldRange[] {
  const common: OldRange[] = [];
  for (const [i, range] of a.entries()) {
    const other = b[i];
    if (other?.start !== range.start || other.pages !== range.pages || other.description !== range.description)
      return common;
    const runs = range.runs.filter(
      ({ type, page }, at) => other.runs[at]?.type === type && other.runs[at]?.page === page,
    );
    const last = runs.at(-1);
    const counts = last ? [last.count, other.runs[runs.length - 1].count] : [0];
    common.push({ ...range, runs: last ? [...runs.slice(0, -1), { ...last, count: Math.min(...counts) }] : [] });
    if (runs.length < range.runs.length || new Set(counts).size > 1) return common;
  }
  return common;
}

/**
 * The ranges as far as they precede a doubted page record: damage may have changed the types of that page and of all
 * later ones.
 */
export function rangesBefore(
  ranges: readonly OldRange[],
  doubted: PagePlace | 'start' | undefined,
): readonly OldRange[] {
  if (doubted === undefined) return ranges;
  if (doubted === 'start') return [];
  const index = ranges.findIndex((range) => holdsRecord(range, doubted));
  const range = ranges[index];
  if (!range) return ranges;
  const end = pageIn(range, doubted);
  const runs = range.runs
    .filter(({ page }) => page < end)
    .map(({ type, page, count }) => ({ type, page, count: Math.min(count, end - page) }));
  return [...ranges.slice(0, index), { ...range, runs }];
}

function holdsRecord(range: OldRange, place: PagePlace): boolean {
  if (place.group !== 'RAM') return Number(place.group.split(' ')[1]) === range.index;
  const page = pageIn(range, place);
  return !range.ownMemory && page >= 0 && page < range.pages;
}

function pageIn({ start }: OldRange, { group, page }: PagePlace): number {
  return group === 'RAM' ? page - start / PAGE_SIZE : page;
}

/** Whether the types of all pages are known. */
export function isRead({ runs, pages }: OldRange): boolean {
  return runs.reduce((sum, { count }) => sum + count, 0) === pages;
}

/** Whether a range is RAM, even if devices cover parts of it. */
export function holdsRam({ start, ownMemory, runs }: OldRange): boolean {
  return !ownMemory && (start === 0 || start === FOUR_GIB || runs[0]?.type === OldPageType.RAM);
}

/** The ranges of a state; a layout completes ranges that were not read to their end, or not at all. */
export function completeRanges(state: SavedState, layout: MachineLayout): OldRange[] {
  const { pgm } = state;
  const version = pgm && pgmVersion(pgm.version);
  const ramSize = pgm?.ramSize ?? state.mm?.ramSize;
  if (!version || ramSize === undefined) return [...(pgm?.oldRanges ?? [])];
  const isModern = pgm.pageTypes === '4.3';
  const isShadowed = (index: number) => !isModern && SHADOWED_ROM.test(layout.roms[index].name);
  const planned = planOldRanges(layout, ramLayout(ramSize), version, isShadowed, isModern);
  const read = pgm.oldRanges.map((range) => completed(range, planned));
  const reached = read.at(-1)?.start ?? -1;
  const unread = planned.filter(({ start }) => start > reached);
  return [
    ...read,
    ...unread.map(({ runs, ...range }, i) => ({ ...range, runs: runs.map(withoutOrigin), index: read.length + i })),
  ];
}

type Planned = ReturnType<typeof planOldRanges>[number];

function completed(range: OldRange, planned: readonly Planned[]): OldRange {
  const plan = planned.find(({ start, pages }) => start === range.start && pages === range.pages);
  if (!plan) return range;
  const description = range.description || plan.description;
  const last = range.runs.at(-1);
  const reached = last ? last.page + last.count : 0;
  const rest = plan.runs.filter(({ page, count }) => page + count > reached).map(withoutOrigin);
  const behind = rest.map(({ type, page, count }) => ({
    type,
    page: Math.max(page, reached),
    count: page + count - Math.max(page, reached),
  }));
  return { ...range, description, runs: [...range.runs, ...behind] };
}

function withoutOrigin({ type, page, count }: Planned['runs'][number]): OldRange['runs'][number] {
  return { type, page, count };
}
