import type { PgmConfig } from '../../../formats/pgm/head.ts';
import type { Mmio2Entry } from '../../../formats/pgm/layouts.ts';
import { isMmio2, isRam, PageKind } from '../../../formats/pgm/page-batch.ts';
import { PAGE_SIZE } from '../../../formats/sizes.ts';
import type { SavedState } from '../reading/state.ts';
import type { RangeNaming } from '../reading/state-view.ts';
import type { MachineLayout } from './machine-layout.ts';

/**
 * Place of a ROM or MMIO2 page of a state in a layout: index in its list, page within the range; undefined where it is
 * in none.
 */
export type PlaceOfPage = (kind: number, id: number, page: number) => { index: number; page: number } | undefined;

export function placesOf(state: SavedState, layout: MachineLayout): PlaceOfPage {
  return state.pgm?.config ? placesByList(state.pgm.config, layout) : placesByAddress(state, layout);
}

/** Versions 6 to 9: an id is the index of a RAM range. */
function placesByAddress(state: SavedState, layout: MachineLayout): PlaceOfPage {
  const starts = state.pgm?.oldRanges.map(({ start }) => start) ?? [];
  return (kind, id, page) => {
    const address = starts[id] + page * PAGE_SIZE;
    const ranges = isMmio2(kind) ? layout.mmio2 : layout.roms;
    const index = ranges.findIndex((range) => address >= range.address && address < range.address + range.size);
    return index < 0 ? undefined : { index, page: (address - ranges[index].address) / PAGE_SIZE };
  };
}

/** Versions 10 and later: ROMs are found by name and address, MMIO2 by device, instance and region. */
function placesByList({ roms, mmio2 }: PgmConfig, layout: MachineLayout): PlaceOfPage {
  const romIndex = new Map(
    roms.map((rom) => [
      rom.id,
      layout.roms.findIndex(({ name, address }) => name === rom.description && address === rom.address),
    ]),
  );
  const isSame = (a: Mmio2Entry, b: MachineLayout['mmio2'][number]) =>
    a.device === b.device && a.instance === b.instance && a.region === b.region;
  const mmio2Index = new Map(mmio2.map((range) => [range.id, layout.mmio2.findIndex((other) => isSame(range, other))]));
  return (kind, id, page) => {
    const index = (isMmio2(kind) ? mmio2Index : romIndex).get(id) ?? -1;
    return index < 0 ? undefined : { index, page };
  };
}

/**
 * Names by place in a layout. Pages outside of the layout get the name of their own range, so that their loss is
 * noticed.
 */
export function layoutNaming(state: SavedState, layout: MachineLayout): RangeNaming {
  const placeOf = placesOf(state, layout);
  return (kind, id, page) => {
    if (isRam(kind)) return { range: 'RAM', page };
    const place = placeOf(kind, id, page);
    return place
      ? { range: rangeName(kind, place.index), page: place.page }
      : { range: `${isMmio2(kind) ? 'MMIO2' : 'ROM'} range ${id}, outside of the layout`, page };
  };
}

/** Names only the side of ROM pages that the guest reads, as `ROM n`, since version 6 keeps nothing else. */
export function visibleNaming(state: SavedState, naming: RangeNaming): RangeNaming {
  return (kind, id, page) => {
    if (kind < PageKind.ROM_VIRGIN || isRam(kind)) return naming(kind, id, page);
    const readsShadow = (state.pgm?.romProtection.get(id)?.[page] ?? 1) >= 3;
    return readsShadow === (kind === PageKind.ROM_VIRGIN) ? undefined : naming(PageKind.ROM_VIRGIN, id, page);
  };
}

function rangeName(kind: number, index: number): string {
  if (isMmio2(kind)) return `MMIO2 ${index + 1}`;
  return kind === PageKind.ROM_VIRGIN ? `ROM ${index + 1}` : `ROM ${index + 1} shadow`;
}
