import { hex, UnsupportedError } from '../../../formats/errors.ts';
import { CHUNK_PAGES, hasChunks, OldPageType, type PageRun } from '../../../formats/pgm/old-ranges.ts';
import { LOW_HOLE_END, LOW_HOLE_START, type RamLayout } from '../../../formats/pgm/ranges.ts';
import type { PgmVersion } from '../../../formats/pgm/versions.ts';
import { FOUR_GIB, MIB, PAGE_SIZE } from '../../../formats/sizes.ts';
import type { MachineLayout } from '../layout/machine-layout.ts';
import type { OldRangeToWrite } from './old-unit.ts';

/** Pages of one type with their origin: RAM by address, or a ROM or MMIO2 range of the layout by index. */
export interface PageOrigin extends PageRun {
  /** For ROM and MMIO2: index in the layout's list. */
  index?: number;
  /** For ROM and MMIO2: first page within the range. */
  firstPage?: number;
}

/** A RAM range to write in versions 6 to 9. */
export type PlannedRange = OldRangeToWrite<PageOrigin>;

/** Start of the firmware range in version 6, whatever the ROM's size, as in 2.1 and before. */
const BIOS_RANGE_START = FOUR_GIB - 512 * 1024;

/**
 * The RAM ranges of a machine as in releases with this version.
 * @param shadowed whether ROM number `index` of the layout has shadow pages
 * @param modern RAM ranges as in 6.1 and later, which do not cover 0xA0000 to 0xFFFFF
 */
export function planOldRanges(
  layout: MachineLayout,
  { lowEnd, highEnd }: RamLayout,
  version: PgmVersion,
  shadowed: (index: number) => boolean,
  modern: boolean,
): PlannedRange[] {
  const romType = (index: number) =>
    shadowed(index) && version.pages !== 'chunks' ? OldPageType.ROM_SHADOW : OldPageType.ROM;
  const roms = layout.roms.map((rom, index) => ({
    ...rom,
    index,
    type: romType(index),
    ownMemory: version.pages === 'chunks',
  }));
  const mmio2 = layout.mmio2.map((range, index) => ({ ...range, index, type: OldPageType.MMIO2, ownMemory: true }));
  const mmio = layout.mmio.map((range) => ({ ...range, index: undefined, type: OldPageType.MMIO, ownMemory: false }));
  const devices = [...roms, ...mmio2, ...mmio];
  const high = [FOUR_GIB, highEnd, 'Above 4GB Base RAM'] as const;
  const ram = modern
    ? [...modernRam(lowEnd), ramRange(...high, [])]
    : [ramRange(0, lowEnd, 'Base RAM', devices), ramRange(...high, devices)];
  const inRam = ({ address }: Part) => !modern && (address < lowEnd || (address >= FOUR_GIB && address < highEnd));
  const ranges = [...ram, ...devices.filter((part) => !inRam(part)).map((part) => deviceRange(part, version))];
  const planned = ranges.filter(({ pages }) => pages > 0).sort((a, b) => a.start - b.start);
  if (version.pages === 'chunks') checkChunks(planned, highEnd);
  return planned;
}

function checkChunks(ranges: readonly PlannedRange[], highEnd: number): void {
  const uneven = ranges.find((range) => hasChunks(range) && range.pages % CHUNK_PAGES !== 0);
  if (highEnd === FOUR_GIB && !uneven) return;
  const what = uneven
    ? `"${uneven.description}" at ${hex(uneven.start)} is no whole number of MiB`
    : 'there is RAM above 4 GiB';
  throw new UnsupportedError('does-not-fit', `Cannot write pgm version 6: ${what}`);
}

function modernRam(lowEnd: number): PlannedRange[] {
  return [
    ramRange(0, Math.min(lowEnd, LOW_HOLE_START), 'Conventional RAM', []),
    ramRange(LOW_HOLE_END, Math.min(lowEnd, 2 * MIB), 'Extended RAM, 1-2MB', []),
    ramRange(2 * MIB, lowEnd, 'Extended RAM, >2MB', []),
  ];
}

interface Part {
  address: number;
  size: number;
  name: string;
  type: number;
  index: number | undefined;
  ownMemory: boolean;
}

/**
 * RAM in `[start, end)`, with the ROMs and devices that begin within it. Has no pages if `end` is not after `start`.
 */
function ramRange(start: number, end: number, description: string, devices: readonly Part[]): PlannedRange {
  const origins: PageOrigin[] = [];
  let at = start;
  const add = (until: number, origin: Omit<PageOrigin, 'page' | 'count'>) => {
    const to = Math.min(until, end);
    if (to > at) origins.push({ ...origin, page: (at - start) / PAGE_SIZE, count: (to - at) / PAGE_SIZE });
    at = Math.max(at, to);
  };
  for (const part of devices
    .filter(({ address }) => address >= start && address < end)
    .sort((a, b) => a.address - b.address)) {
    add(part.address, { type: OldPageType.RAM });
    const firstPage = (at - part.address) / PAGE_SIZE;
    add(part.address + part.size, {
      type: part.type,
      ...(part.index === undefined ? {} : { index: part.index, firstPage }),
    });
  }
  add(end, { type: OldPageType.RAM });
  return {
    start,
    pages: Math.max(0, (end - start) / PAGE_SIZE),
    description,
    ownMemory: false,
    runs: origins,
  };
}

function deviceRange(part: Part, version: PgmVersion): PlannedRange {
  const pages = part.size / PAGE_SIZE;
  const origin = {
    type: part.type,
    page: 0,
    count: pages,
    ...(part.index === undefined ? {} : { index: part.index, firstPage: 0 }),
  };
  const range = { start: part.address, pages, description: part.name, ownMemory: part.ownMemory, runs: [origin] };
  const isBios =
    version.pages === 'chunks' &&
    part.type === OldPageType.ROM &&
    part.address > BIOS_RANGE_START &&
    part.address + part.size === FOUR_GIB;
  if (!isBios) return range;
  const before = (part.address - BIOS_RANGE_START) / PAGE_SIZE;
  return {
    ...range,
    start: BIOS_RANGE_START,
    pages: pages + before,
    runs: [
      { type: OldPageType.INVALID, page: 0, count: before },
      { ...origin, page: before },
    ],
  };
}
