import type { RomEntry } from '../../../formats/pgm/layouts.ts';
import { OLD_PAGE_TYPE_NAMES, OldPageType, type OldRange } from '../../../formats/pgm/old-ranges.ts';
import { DEFAULT_RAM_HOLE, LOW_HOLE_END, LOW_HOLE_START, ramLayout } from '../../../formats/pgm/ranges.ts';
import { FOUR_GIB, type GuestPhys, MIB, PAGE_SIZE } from '../../../formats/sizes.ts';
import type { MemoryRegion, RegionKind } from '../reading/memory-region.ts';
import type { PgmSummary, SavedState } from '../reading/state.ts';
import { pciMmio, pciRegion } from './pci-mmio.ts';

/**
 * The guest's physical memory map, ascending. Ranges without a known place are missing: unmapped MMIO2, and MMIO of PCI
 * devices up to 5.1, whose states do not tell its size.
 */
export function memoryMap(state: SavedState): MemoryRegion[] {
  const { pgm } = state;
  if (!pgm) return [];
  const regions = pgm.config
    ? [...ramRegions(pgm), ...romRegions(pgm.config.roms), ...mappedMmio2(state), ...fixedMmio(state)]
    : pgm.oldRanges.flatMap(oldRegions);
  if (pgm.config) regions.push(...pciMmio(state, regions).map((region) => ({ kind: 'mmio' as const, ...region })));
  return regions.filter(({ start, end }) => start < end).sort((a, b) => a.start - b.start);
}

/**
 * RAM as the configuration has it. Since 6.1 there is none from 0xA0000 to 0xFFFFF; in older versions there is RAM
 * wherever neither ROM nor device memory lies.
 */
function ramRegions(pgm: PgmSummary): MemoryRegion[] {
  const { ramSize, ramHole } = ramConfigOf(pgm);
  const { lowEnd, highEnd } = ramLayout(ramSize, ramHole);
  const ram = (start: number, end: number): MemoryRegion => ({ kind: 'ram', start, end, name: 'RAM' });
  const regions = [ram(0, Math.min(lowEnd, LOW_HOLE_START)), ram(LOW_HOLE_END, lowEnd), ram(FOUR_GIB, highEnd)];
  for (const frame of [...pgm.lowHoleRam].sort((a, b) => a - b)) {
    const start = frame * PAGE_SIZE;
    if (isUnderRom(pgm, start)) continue;
    const last = regions[regions.length - 1];
    if (last.end === start) last.end += PAGE_SIZE;
    else regions.push(ram(start, start + PAGE_SIZE));
  }
  return regions;
}

function isUnderRom(pgm: PgmSummary, address: number): boolean {
  return pgm.config?.roms.some((rom) => address >= rom.address && address < rom.address + rom.size) ?? false;
}

function romRegions(roms: readonly RomEntry[]): MemoryRegion[] {
  return roms.map(({ id, address, size, description }) => ({
    kind: 'rom',
    start: address,
    end: address + size,
    name: description,
    id,
    firstPage: 0,
  }));
}

/** The MMIO2 ranges that the guest had mapped, by the base address registers of their devices. */
function mappedMmio2(state: SavedState): MemoryRegion[] {
  const regions: MemoryRegion[] = [];
  for (const range of state.pgm?.config?.mmio2 ?? []) {
    const start = mmio2Address(state, range);
    if (start !== undefined)
      regions.push({
        kind: 'mmio2',
        start,
        end: start + range.size,
        name: range.description,
        id: range.id,
        firstPage: 0,
      });
  }
  return regions;
}

/**
 * Address at which an MMIO2 range of versions 10 and later was mapped; undefined where it was not, or the state does
 * not tell.
 */
export function mmio2Address(
  state: SavedState,
  range: { device: string; instance: number; region: number },
): GuestPhys | undefined {
  const device = state.pciDevices.get(range.device);
  if (!device) return pciRegion(state, range.device, range.instance, range.region);
  return device.memoryEnabled ? device.regions[range.region] : undefined;
}

/**
 * Devices whose registers always lie at the same place, by the unit that tells of their presence, with VirtualBox's
 * names for the ranges. Checked against dumps and the loader of 7.2.22, which compares the names when it loads pgm 8
 * and 9.
 */
const FIXED_MMIO = [
  { unit: 'vga', start: LOW_HOLE_START, size: 0x20000, name: 'VGA - VGA Video Buffer' },
  { unit: 'ioapic', start: 0xfec00000, size: PAGE_SIZE, name: 'I/O APIC' },
  { unit: 'hpet', start: 0xfed00000, size: PAGE_SIZE, name: 'HPET Memory' },
  { unit: 'ich9pci', start: 0xfed1c000, size: 0x4000, name: 'LPC Memory' },
  { unit: 'apic', start: 0xfee00000, size: PAGE_SIZE, name: 'APIC' },
] as const;
/** The ICH9's window to PCI configuration space fills the start of its larger RAM hole. */
const ICH9_CONFIG_WINDOW = 64 * MIB;

function fixedMmio(state: SavedState): MemoryRegion[] {
  const units = new Set(state.units.map((unit) => unit.name));
  const regions = FIXED_MMIO.filter(({ unit }) => units.has(unit)).map(
    ({ start, size, name }): MemoryRegion => ({ kind: 'mmio', start, end: start + size, name }),
  );
  const hole = state.pgm?.config?.ramHole ?? DEFAULT_RAM_HOLE;
  if (units.has('ich9pci') && hole - DEFAULT_RAM_HOLE === ICH9_CONFIG_WINDOW) {
    regions.push({
      kind: 'mmio',
      start: FOUR_GIB - hole,
      end: FOUR_GIB - hole + ICH9_CONFIG_WINDOW,
      name: 'MCFG ranges',
    });
  }
  return regions;
}

/** Bytes of RAM and of the hole below 4 GiB, as the state's units tell or, in versions 6 to 9, as its ranges show. */
export function ramConfigOf({ config, ramSize, oldRanges }: PgmSummary): { ramSize: number; ramHole: number } {
  if (config) return { ramSize: ramSize ?? 0, ramHole: config.ramHole ?? DEFAULT_RAM_HOLE };
  const ends = oldRanges.filter(isRamRange).map(({ start, pages }) => start + pages * PAGE_SIZE);
  const lowEnd = Math.max(0, ...ends.filter((end) => end <= FOUR_GIB));
  const highEnd = Math.max(FOUR_GIB, ...ends);
  return {
    ramSize: ramSize ?? lowEnd + highEnd - FOUR_GIB,
    ramHole: highEnd > FOUR_GIB ? FOUR_GIB - lowEnd : DEFAULT_RAM_HOLE,
  };
}

/** Whether a range is RAM; one that starts at 0 is, even where devices cover all of it. */
function isRamRange({ start, ownMemory, runs }: OldRange): boolean {
  return !ownMemory && (start === 0 || runs.some(({ type }) => type === OldPageType.RAM));
}

const OLD_KINDS: Partial<Record<(typeof OLD_PAGE_TYPE_NAMES)[number], RegionKind>> = {
  ram: 'ram',
  rom: 'rom',
  'rom-shadow': 'rom',
  mmio2: 'mmio2',
  mmio: 'mmio',
};

/** Regions of a range of versions 6 to 9, in which each page has its type. */
function oldRegions(range: OldRange): MemoryRegion[] {
  const regions: MemoryRegion[] = [];
  for (const { type, page, count } of range.runs) {
    const kind = OLD_KINDS[OLD_PAGE_TYPE_NAMES[type]];
    const start = range.start + page * PAGE_SIZE;
    const last = regions[regions.length - 1];
    if (!kind) continue;
    if (last?.kind === kind && last.end === start) last.end += count * PAGE_SIZE;
    else
      regions.push({
        kind,
        start,
        end: start + count * PAGE_SIZE,
        name: range.description,
        id: range.index,
        firstPage: page,
      });
  }
  return regions;
}

/** The gaps between regions, from 0 to the end of the last one. */
export function holesOf(regions: readonly MemoryRegion[]): { start: GuestPhys; end: GuestPhys }[] {
  const holes: { start: GuestPhys; end: GuestPhys }[] = [];
  let reached = 0;
  for (const { start, end } of regions) {
    if (start > reached) holes.push({ start: reached, end: start });
    reached = Math.max(reached, end);
  }
  return holes;
}
