import { UnsupportedError } from '../../../formats/errors.ts';
import { OldPageType } from '../../../formats/pgm/old-ranges.ts';
import { LOW_HOLE_END, LOW_HOLE_START, ramLayout } from '../../../formats/pgm/ranges.ts';
import type { PgmVersion } from '../../../formats/pgm/versions.ts';
import { FOUR_GIB, MIB, PAGE_SIZE } from '../../../formats/units.ts';
import type { MachineLayout } from './machine-layout.ts';

/** Where the pages of a stretch come from: RAM by address, or a ROM or MMIO2 range of the layout by index. */
export interface PageOrigin {
  type: number;
  /** First page within the range that is written, and number of pages. */
  page: number;
  count: number;
  /** ROM, MMIO2: index in the layout's list. */
  index?: number;
  /** ROM, MMIO2: first page within it. */
  firstPage?: number;
}

/** A RAM range of versions 6 to 9 that is to be written. */
export interface PlannedRange {
  start: number;
  pages: number;
  description: string;
  ownMemory: boolean;
  origins: PageOrigin[];
}

/** The version 6 firmware range, whatever the ROM's own size: 2.1 and before had it so. */
const BIOS_RANGE_START = FOUR_GIB - 512 * 1024;

/**
 * The RAM ranges of a machine as releases of the version had them.
 * @param shadowed whether ROM number `index` of the layout has shadow pages
 * @param modern RAM ranges as 6.1 and later have them: what lies from 0xA0000 to 0xFFFFF is not within RAM
 */
export function planOldRanges(
  layout: MachineLayout,
  ramSize: number,
  version: PgmVersion,
  shadowed: (index: number) => boolean,
  modern: boolean,
): PlannedRange[] {
  const { lowEnd, highEnd } = ramLayout(ramSize);
  if (version.pages === 'chunks' && (highEnd > FOUR_GIB || lowEnd % MIB !== 0)) {
    throw new UnsupportedError('does-not-fit', `Cannot write pgm version 6: RAM of ${ramSize} bytes is no whole number of MiB below the hole at 4 GiB`);
  }
  const romType = (index: number) => (shadowed(index) && version.pages !== 'chunks' ? OldPageType.ROM_SHADOW : OldPageType.ROM);
  const roms = layout.roms.map((rom, index) => ({ ...rom, index, type: romType(index), ownMemory: version.pages === 'chunks' }));
  const mmio2 = layout.mmio2.map((range, index) => ({ ...range, index, type: OldPageType.MMIO2, ownMemory: true }));
  const mmio = layout.mmio.map((range) => ({ ...range, index: undefined, type: OldPageType.MMIO, ownMemory: false }));
  const inBase = (part: { address: number }) => !modern && part.address < lowEnd;
  const devices = [...roms, ...mmio2, ...mmio];
  const ranges = modern ? modernRam(lowEnd) : [baseRam(lowEnd, devices.filter(inBase))];
  if (highEnd > FOUR_GIB) ranges.push(plainRange(FOUR_GIB, highEnd, 'Above 4GB Base RAM', OldPageType.RAM));
  for (const part of devices.filter((each) => !inBase(each))) ranges.push(deviceRange(part, version));
  return ranges.filter(({ pages }) => pages > 0).sort((a, b) => a.start - b.start);
}

function plainRange(start: number, end: number, description: string, type: number): PlannedRange {
  const pages = Math.max(0, (end - start) / PAGE_SIZE);
  return { start, pages, description, ownMemory: false, origins: [{ type, page: 0, count: pages }] };
}

function modernRam(lowEnd: number): PlannedRange[] {
  return [
    plainRange(0, Math.min(lowEnd, LOW_HOLE_START), 'Conventional RAM', OldPageType.RAM),
    plainRange(LOW_HOLE_END, Math.min(lowEnd, 2 * MIB), 'Extended RAM, 1-2MB', OldPageType.RAM),
    plainRange(2 * MIB, lowEnd, 'Extended RAM, >2MB', OldPageType.RAM),
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

/** RAM from 0 on, with ROMs and MMIO in their places within it. */
function baseRam(lowEnd: number, parts: readonly Part[]): PlannedRange {
  const origins: PageOrigin[] = [];
  let at = 0;
  const add = (end: number, origin: Omit<PageOrigin, 'page' | 'count'>) => {
    if (end > at) origins.push({ ...origin, page: at / PAGE_SIZE, count: (end - at) / PAGE_SIZE });
    at = Math.max(at, end);
  };
  for (const part of [...parts].sort((a, b) => a.address - b.address)) {
    add(Math.min(part.address, lowEnd), { type: OldPageType.RAM });
    const firstPage = (at - part.address) / PAGE_SIZE;
    add(Math.min(part.address + part.size, lowEnd), { type: part.type, ...(part.index === undefined ? {} : { index: part.index, firstPage }) });
  }
  add(lowEnd, { type: OldPageType.RAM });
  return { start: 0, pages: lowEnd / PAGE_SIZE, description: 'Base RAM', ownMemory: false, origins };
}

function deviceRange(part: Part, version: PgmVersion): PlannedRange {
  const pages = part.size / PAGE_SIZE;
  const origin = { type: part.type, page: 0, count: pages, ...(part.index === undefined ? {} : { index: part.index, firstPage: 0 }) };
  const range = { start: part.address, pages, description: part.name, ownMemory: part.ownMemory, origins: [origin] };
  const isBios = version.pages === 'chunks' && part.type === OldPageType.ROM && part.address > BIOS_RANGE_START && part.address + part.size === FOUR_GIB;
  if (!isBios) return range;
  const before = (part.address - BIOS_RANGE_START) / PAGE_SIZE;
  return {
    ...range,
    start: BIOS_RANGE_START,
    pages: pages + before,
    origins: [
      { type: OldPageType.INVALID, page: 0, count: before },
      { ...origin, page: before },
    ],
  };
}
