import { UnsupportedError, UsageError } from '../../formats/errors.ts';
import { hasRamInLowHole, LOW_HOLE_END, LOW_HOLE_START, ramLayout } from '../../formats/pgm/ranges.ts';
import { FOUR_GIB, GIB, MIB, PAGE_SIZE } from '../../formats/sizes.ts';
import type { Mmio2Range } from '../pgm/devices/mmio2-ranges.ts';
import type { RomRange } from '../pgm/devices/rom-range.ts';
import { GuestMemory } from '../pgm/guest-memory.ts';
import type { HostBacking } from '../pgm/pages/host-backing.ts';
import { memoryMap, mmio2Address } from '../saved-state/layout/memory-map.ts';
import type { MemoryRegion } from '../saved-state/reading/memory-region.ts';
import type { PgmSummary, SavedState } from '../saved-state/reading/state.ts';

/**
 * Page descriptors of this much RAM take 2.6 GB of address space, but memory only for pages in use; VirtualBox has page
 * IDs for no more (GMM_PAGEID_LAST).
 */
export const MAX_RAM = 1024 * GIB;
/** Video memory is at most 256 MiB a card, ROMs some MiB. A state that claims more is an attack. */
const MAX_DEVICE_MEMORY = 4 * GIB;
const MAX_ROM = 256 * MIB;

/** A machine's memory as a state describes it, still without content, and the places that page records refer to. */
export interface BuiltMemory {
  memory: GuestMemory;
  romPage(id: number, page: number): { rom: RomRange; page: number } | undefined;
  mmio2Page(id: number, page: number): { mmio2: Mmio2Range; page: number } | undefined;
}

export interface BuildOptions {
  backing?: HostBacking;
  /** Limit of all memory in bytes. */
  maxMemory?: number;
}

/** @throws UnsupportedError where the state does not tell its RAM, or claims more than any machine has */
export function buildMemory(
  state: SavedState,
  pgm: PgmSummary,
  { backing, maxMemory }: BuildOptions = {},
): BuiltMemory {
  const memory = new GuestMemory(backing);
  checkSizes(state, pgm, maxMemory);
  if (pgm.config) registerRam(memory, state, pgm);
  else registerOldRam(memory, pgm);
  return pgm.config ? registerConfigured(memory, state, pgm) : registerOldDevices(memory, state, pgm);
}

function checkSizes(state: SavedState, pgm: PgmSummary, maxMemory: number | undefined): void {
  const ram = pgm.config ? (pgm.ramSize ?? 0) : sum(pgm.oldRanges.map(({ pages }) => pages * PAGE_SIZE));
  checkSize('RAM', ram, MAX_RAM);
  const regions = pgm.config ? [] : memoryMap(state);
  const of = (kind: string) => regions.filter((region) => region.kind === kind).map(({ start, end }) => end - start);
  const mmio2 = sum(pgm.config?.mmio2.map(({ size }) => size) ?? of('mmio2'));
  checkSize('device memory', mmio2, MAX_DEVICE_MEMORY);
  const roms = sum(pgm.config?.roms.map(({ size }) => size) ?? of('rom'));
  checkSize('ROM', roms, MAX_ROM);
  if (maxMemory !== undefined) checkSize('memory', ram + mmio2 + roms, maxMemory);
  if (ram === 0)
    throw new UnsupportedError('no-ram', 'Cannot load state: it does not tell how much RAM the machine has');
}

function checkSize(what: string, size: number, limit: number): void {
  // A limit that is no number refuses everything.
  if (!(size <= limit))
    throw new UnsupportedError(
      'too-much-memory',
      `Cannot load state: ${size} bytes of ${what}, expected at most ${limit}`,
    );
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

/** Registers RAM, with descriptions as the state's release has them. */
function registerRam(memory: GuestMemory, state: SavedState, pgm: PgmSummary): void {
  const { lowEnd, highEnd } = ramLayout(pgm.ramSize ?? 0, pgm.config?.ramHole);
  const stretches: [number, number, string][] = hasRamInLowHole(state.header.release)
    ? [[0, lowEnd, 'Base RAM']]
    : [
        [0, Math.min(lowEnd, LOW_HOLE_START), 'Conventional RAM'],
        [LOW_HOLE_END, Math.min(lowEnd, 2 * MIB), 'Extended RAM, 1-2MB'],
        [2 * MIB, lowEnd, 'Extended RAM, >2MB'],
      ];
  for (const [start, end, description] of [...stretches, [FOUR_GIB, highEnd, 'Above 4GB Base RAM'] as const]) {
    const size = Math.floor((end - start) / PAGE_SIZE) * PAGE_SIZE;
    if (size > 0) memory.registerRam(start, size, description);
  }
}

function registerConfigured(memory: GuestMemory, state: SavedState, pgm: PgmSummary): BuiltMemory {
  const roms = new Map<number, RomRange>();
  const mmio2 = new Map<number, Mmio2Range>();
  for (const { id, address, size, description } of pgm.config?.roms ?? []) {
    if (size > 0)
      roms.set(id, memory.roms.register({ start: address, size, description, isShadowed: isShadowed(pgm, id) }));
  }
  for (const range of pgm.config?.mmio2 ?? []) {
    if (range.size === 0) continue;
    // The description of an instance above 0 ends with its number already.
    const { id, device, instance, region, size, description } = range;
    mmio2.set(
      id,
      memory.mmio2.register({ device, instance, region, size, description: description.replace(` [${instance}]`, '') }),
    );
    const address = mmio2Address(state, range);
    if (address !== undefined && isFree(memory, address, size)) memory.mmio2.map(device, instance, region, address);
  }
  registerMmio(memory, memoryMap(state), (region) => !holdsLowRam(pgm, region));
  return {
    memory,
    romPage: (id, page) => found(roms.get(id), (rom) => ({ rom, page })),
    mmio2Page: (id, page) => found(mmio2.get(id), (range) => ({ mmio2: range, page })),
  };
}

const OLD_RAM = 1;

/** Registers the RAM of versions 6 to 9, whose ranges tell where everything lies, but not the devices. */
function registerOldRam(memory: GuestMemory, pgm: PgmSummary): void {
  for (const { index, start, pages, description, runs } of pgm.oldRanges) {
    if (runs.some(({ type }) => type === OLD_RAM))
      memory.registerRam(start, pages * PAGE_SIZE, description || `RAM range ${index}`);
  }
}

function registerOldDevices(memory: GuestMemory, state: SavedState, pgm: PgmSummary): BuiltMemory {
  const regions = memoryMap(state);
  for (const { kind, start, end, name, id = 0 } of regions) {
    const description = name || `RAM range ${id}`;
    if (kind === 'rom')
      memory.roms.register({ start, size: end - start, description, isShadowed: isShadowed(pgm, id) });
    if (kind !== 'mmio2') continue;
    const key = { device: description, instance: 0, region: memory.mmio2.all.length };
    memory.mmio2.register({ ...key, size: end - start, description });
    memory.mmio2.map(key.device, key.instance, key.region, start);
  }
  registerMmio(memory, regions, () => true);
  const addressOf = (id: number, page: number) => (pgm.oldRanges[id]?.start ?? 0) + page * PAGE_SIZE;
  const pageIn = (start: number, id: number, page: number) => (addressOf(id, page) - start) / PAGE_SIZE;
  return {
    memory,
    romPage: (id, page) =>
      found(memory.roms.find(addressOf(id, page)), (rom) => ({ rom, page: pageIn(rom.start, id, page) })),
    mmio2Page: (id, page) =>
      found(memory.mmio2.at(addressOf(id, page)), (range) => ({
        mmio2: range,
        page: pageIn(range.address ?? 0, id, page),
      })),
  };
}

/**
 * Registers MMIO ranges. There are no devices: they read as 0xff and ignore writes. Most places are inferred; a range
 * that overlaps something else is left out.
 */
function registerMmio(
  memory: GuestMemory,
  regions: readonly MemoryRegion[],
  wanted: (region: MemoryRegion) => boolean,
): void {
  for (const region of regions) {
    if (region.kind !== 'mmio' || !wanted(region)) continue;
    try {
      memory.mmio.register(region.start, region.end - region.start, region.name || 'MMIO', (access, _gcPhys, bytes) => {
        if (access === 'read') bytes.fill(0xff);
        return 'done';
      });
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
    }
  }
}

function isFree(memory: GuestMemory, address: number, size: number): boolean {
  return (
    address !== 0 && address % PAGE_SIZE === 0 && memory.ranges.firstOverlap(address, address + size) === undefined
  );
}

function holdsLowRam(pgm: PgmSummary, { start, end }: MemoryRegion): boolean {
  for (let frame = start / PAGE_SIZE; frame < Math.min(end, LOW_HOLE_END) / PAGE_SIZE; frame++)
    if (pgm.lowHoleRam.has(frame)) return true;
  return false;
}

/** Whether a ROM is shadowed: some record has its shadow, or a protection that only shadowed ROMs have. */
function isShadowed(pgm: PgmSummary, id: number): boolean {
  return (
    (pgm.shadowPages.get(id)?.includes(1) ?? false) ||
    (pgm.romProtection.get(id)?.some((protection) => protection > 1) ?? false)
  );
}

function found<T, R>(value: T | undefined, use: (value: T) => R): R | undefined {
  return value === undefined ? undefined : use(value);
}
