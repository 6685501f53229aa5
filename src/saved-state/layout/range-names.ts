import { hex } from '../../../formats/errors.ts';
import { isMmio2, isRam, PageKind } from '../../../formats/pgm/page-batch.ts';
import { type GuestPhys, PAGE_SIZE } from '../../../formats/sizes.ts';
import type { SavedState } from '../reading/state.ts';
import { RAM_RANGE, type RangeNames } from '../reading/state-view.ts';
import { deriveLayout } from './machine-layout.ts';
import { mmio2Address } from './memory-map.ts';
import { placesOf } from './range-map.ts';

/** ROMs are named by description and address, MMIO2 by device, instance and region, as VirtualBox identifies them. */
export function namesOf(state: SavedState): RangeNames {
  const addresses = new Map<string, GuestPhys | undefined>([[RAM_RANGE, 0]]);
  const { romName, mmio2Name, placeOf } = state.pgm?.config
    ? namesById(state, addresses)
    : namesByPlace(state, addresses);
  return {
    naming: (kind, id, page) => {
      if (isRam(kind)) return { range: RAM_RANGE, page };
      const place = placeOf(kind, id, page);
      if (isMmio2(kind)) return { range: mmio2Name.get(place.id) ?? `MMIO2 ${id}`, page: place.page };
      const range = romName.get(place.id) ?? `ROM ${id}`;
      return { range: kind === PageKind.ROM_VIRGIN ? range : `${range}, shadow`, page: place.page };
    },
    addressOf: (range) => addresses.get(range.replace(/, shadow$/, '')),
  };
}

interface NameTables {
  romName: Map<number, string>;
  mmio2Name: Map<number, string>;
  placeOf: (kind: number, id: number, page: number) => { id: number; page: number };
}

/** Names in versions 10 and later. */
function namesById(state: SavedState, addresses: Map<string, GuestPhys | undefined>): NameTables {
  const { roms = [], mmio2 = [] } = state.pgm?.config ?? {};
  const romName = new Map(roms.map((rom) => [rom.id, nameOfRom(rom.description, rom.address)]));
  const mmio2Name = new Map(
    mmio2.map((range) => [range.id, nameOfMmio2(range.description, range.device, range.instance, range.region)]),
  );
  for (const rom of roms) addresses.set(nameOfRom(rom.description, rom.address), rom.address);
  for (const range of mmio2) addresses.set(mmio2Name.get(range.id) ?? '', mmio2Address(state, range));
  return { romName, mmio2Name, placeOf: (_kind, id, page) => ({ id, page }) };
}

/** Names in versions 6 to 9, whose ids are indices into the known layout of the machine. */
function namesByPlace(state: SavedState, addresses: Map<string, GuestPhys | undefined>): NameTables {
  const { layout } = deriveLayout(state);
  const find = placesOf(state, layout);
  const romName = new Map(layout.roms.map((rom, i) => [i, nameOfRom(rom.name, rom.address)]));
  const mmio2Name = new Map(
    layout.mmio2.map((range, i) => [i, nameOfMmio2(range.name, range.device, range.instance, range.region)]),
  );
  for (const [i, rom] of layout.roms.entries()) addresses.set(romName.get(i) ?? '', rom.address);
  for (const [i, range] of layout.mmio2.entries()) addresses.set(mmio2Name.get(i) ?? '', range.address);
  return {
    romName,
    mmio2Name,
    placeOf: (kind, id, page) => {
      const place = find(kind, id, page);
      return place ? { id: place.index, page: place.page } : { id: -1, page };
    },
  };
}

function nameOfRom(description: string, address: GuestPhys): string {
  return `ROM ${description} at ${hex(address)}`;
}

function nameOfMmio2(description: string, device: string, instance: number, region: number): string {
  return `MMIO2 ${description} of ${device}/${instance}/${region}`;
}

/** Place of a run of pages, for people: its guest-physical address if there is one, else its offset in the range. */
export function placeOfPages(
  { addressOf }: RangeNames,
  range: string,
  start: number,
  end: number,
): { start: GuestPhys; end: GuestPhys; mapped: boolean } {
  const base = addressOf(range);
  const from = base ?? 0;
  return { start: from + start * PAGE_SIZE, end: from + end * PAGE_SIZE, mapped: base !== undefined };
}
