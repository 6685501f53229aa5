import { hex, UnsupportedError, UsageError } from '../../../formats/errors.ts';
import type { PgmConfig } from '../../../formats/pgm/head.ts';
import { PAGE_SIZE } from '../../../formats/sizes.ts';
import { readJson } from '../../../formats/values/json-text.ts';
import { numberOf } from '../../../formats/values/number-text.ts';
import {
  anything,
  integer,
  list,
  made,
  record,
  type Shape,
  such,
  text,
  withDefault,
} from '../../../formats/values/shape.ts';
import type { MemoryRegion } from '../reading/memory-region.ts';
import type { SavedState } from '../reading/state.ts';
import { memoryMap, mmio2Address } from './memory-map.ts';

/**
 * Places of a machine's ROMs, MMIO2 and MMIO ranges, and the devices that they belong to. Addresses and sizes in bytes,
 * page aligned.
 */
export interface MachineLayout {
  /** ROMs. */
  roms: { name: string; address: number; size: number }[];
  /** Memory of devices. */
  mmio2: { name: string; device: string; instance: number; region: number; address: number; size: number }[];
  /** Device registers; they have no contents, but versions 6 to 9 list them. */
  mmio: { name: string; address: number; size: number }[];
}

/**
 * ROMs within "Base RAM", by their address: VirtualBox gave them no range of their own, so the state does not name
 * them.
 */
const KNOWN_ROMS: readonly { address: number; name: string }[] = [
  { address: 0xc0000, name: 'VGA BIOS' },
  { address: 0xd0000, name: 'Net Boot ROM' },
  { address: 0xe0000, name: 'ACPI RSDP' },
  { address: 0xe1000, name: 'DMI tables' },
  { address: 0xe2000, name: 'Net Boot ROM' },
  { address: 0xf0000, name: 'PC BIOS - 0xfffff' },
  { address: 0xffff0000, name: 'PC BIOS - 0xffffffff' },
];
/** VirtualBox's names of RAM; ROMs within it need names of their own. */
const RAM_DESCRIPTIONS = ['Base RAM', 'Above 4GB Base RAM', 'Conventional RAM', ''];

/** Devices that own MMIO2 ranges, in any release, by the description of the range. */
const KNOWN_MMIO2: Record<string, { device: string; instance: number; region: number }> = {
  VRam: { device: 'vga', instance: 0, region: 0 },
  VMMDev: { device: 'VMMDev', instance: 0, region: 1 },
  'VMMDev Heap': { device: 'VMMDev', instance: 0, region: 2 },
};

/** Address of a range that is listed as missing; printed as `?`. */
const UNKNOWN_ADDRESS = Number.NaN;

/** The layout as far as the state tells it: unknown names are `?`, unknown addresses NaN, and `missing` lists them. */
export function deriveLayout(state: SavedState): { layout: MachineLayout; missing: string[] } {
  const mmio = memoryMap(state).filter(({ kind }) => kind === 'mmio');
  const { layout, missing } = state.pgm?.config ? deriveFromLists(state, state.pgm.config) : deriveFromRanges(state);
  return {
    layout: { ...layout, mmio: mmio.map(({ name, start, end }) => ({ name, address: start, size: end - start })) },
    missing,
  };
}

/**
 * Versions 10 and later: the lists name everything, but only the devices' base address registers tell where MMIO2 was.
 */
function deriveFromLists(state: SavedState, { roms, mmio2 }: PgmConfig): { layout: MachineLayout; missing: string[] } {
  const missing: string[] = [];
  const layout: MachineLayout = {
    roms: roms.map(({ description, address, size }) => ({ name: description, address, size })),
    mmio2: [],
    mmio: [],
  };
  for (const range of mmio2) {
    const { device, instance, region, description, size } = range;
    const address = mmio2Address(state, range);
    if (address === undefined)
      missing.push(
        `address of the MMIO2 range "${description}" (${device}/${instance}/${region}), ${size} bytes: it is ` +
          'not mapped',
      );
    layout.mmio2.push({ name: description, device, instance, region, address: address ?? UNKNOWN_ADDRESS, size });
  }
  return { layout, missing };
}

function deriveFromRanges(state: SavedState): { layout: MachineLayout; missing: string[] } {
  const layout: MachineLayout = { roms: [], mmio2: [], mmio: [] };
  const missing: string[] = [];
  const regions = memoryMap(state);
  for (const region of regions.filter(({ kind }) => kind === 'rom')) {
    for (const { start, end } of splitAtKnownRoms(region)) {
      const name = RAM_DESCRIPTIONS.includes(region.name)
        ? KNOWN_ROMS.find(({ address }) => address === start)?.name
        : region.name;
      if (name === undefined) missing.push(`name of the ROM at ${hex(start)}, ${end - start} bytes`);
      layout.roms.push({ name: name ?? '?', address: start, size: end - start });
    }
  }
  for (const { name, start, end } of regions.filter(({ kind }) => kind === 'mmio2')) {
    const known = KNOWN_MMIO2[name];
    if (!known) missing.push(`device of the MMIO2 range "${name}" at ${hex(start)}, ${end - start} bytes`);
    layout.mmio2.push({
      name: name === '' ? '?' : name,
      ...(known ?? { device: '?', instance: 0, region: 0 }),
      address: start,
      size: end - start,
    });
  }
  return { layout, missing };
}

function splitAtKnownRoms({ start, end }: MemoryRegion): { start: number; end: number }[] {
  const cuts = KNOWN_ROMS.map(({ address }) => address).filter((address) => address > start && address < end);
  return [start, ...cuts].map((from, i) => ({ start: from, end: cuts[i] ?? end }));
}

/** The layout to use: the given one, else the derived one. @throws UnsupportedError with a list of missing facts */
export function settleLayout(state: SavedState, given: MachineLayout | undefined): MachineLayout {
  if (given) return given;
  const { layout, missing } = deriveLayout(state);
  if (missing.length === 0) return layout;
  throw new UnsupportedError(
    'layout-missing',
    'Cannot tell all places of the layout (--print-layout shows known facts, --layout takes the rest): ' +
      `${missing.join('; ')}`,
  );
}

const name = such(text(65_536), (value) => value !== '' && value !== '?', 'a name');
const number = integer(0, 255);
/** A number, or text such as 0xc0000. */
const aligned = made(
  anything,
  (value) => {
    const bytes = typeof value === 'string' ? Number(numberOf(value) ?? -1) : value;
    return typeof bytes === 'number' && bytes >= 0 && bytes % PAGE_SIZE === 0 ? bytes : undefined;
  },
  `a page-aligned address or size`,
);
const place = { name, address: aligned, size: aligned };
const layoutShape: Shape<MachineLayout> = record({
  roms: list(record(place), 1024),
  mmio2: list(record({ ...place, device: name, instance: number, region: number }), 1024),
  mmio: withDefault(list(record(place), 1024), []),
});

/** Reads a layout from JSON, as `--print-layout` prints it. @throws UsageError `bad-layout` */
export function parseLayout(json: string): MachineLayout {
  const bad = (why: string) => new UsageError('bad-layout', `Cannot read layout: ${why}`);
  return readJson(json, layoutShape, bad);
}

/** A layout as JSON for `parseLayout`. */
export function printLayout(layout: MachineLayout): string {
  const inHex = <T extends { address: number; size: number }>(entry: T) => ({
    ...entry,
    address: Number.isNaN(entry.address) ? '?' : hex(entry.address),
    size: hex(entry.size),
  });
  return JSON.stringify(
    { roms: layout.roms.map(inHex), mmio2: layout.mmio2.map(inHex), mmio: layout.mmio.map(inHex) },
    null,
    2,
  );
}
