import { isMmio2, isRam, PageKind } from '../../../formats/pgm/page-batch.ts';
import { PAGE_SIZE } from '../../../formats/units.ts';
import type { RangeNaming } from '../fingerprint.ts';
import type { SavedState } from '../state.ts';
import type { MachineLayout } from './machine-layout.ts';

/** Where a ROM or MMIO2 page of versions 6 to 9 (index of its RAM range, page within it) is in a layout; undefined where it is in none. */
export type PagePlace = (kind: number, id: number, page: number) => { index: number; page: number } | undefined;

export function placesOf(state: SavedState, layout: MachineLayout): PagePlace {
  const starts = state.pgm?.oldRanges.map(({ start }) => start) ?? [];
  return (kind, id, page) => {
    const address = starts[id] + page * PAGE_SIZE;
    const ranges = isMmio2(kind) ? layout.mmio2 : layout.roms;
    const index = ranges.findIndex((range) => address >= range.address && address < range.address + range.size);
    return index < 0 ? undefined : { index, page: (address - ranges[index].address) / PAGE_SIZE };
  };
}

/** Names by place in the layout, for a state of versions 6 to 9. Pages outside of it get the name of their own range, so that their loss shows. */
export function oldNaming(state: SavedState, layout: MachineLayout): RangeNaming {
  const placeOf = placesOf(state, layout);
  return (kind, id, page) => {
    if (isRam(kind)) return { range: 'RAM', page };
    const place = placeOf(kind, id, page);
    return place ? { range: rangeName(kind, place.index), page: place.page } : { range: `RAM range ${id}, outside of the layout`, page };
  };
}

/** Names by position in the lists of a state of versions 10 and later that was made from a layout. */
export const listNaming: RangeNaming = (kind, id, page) => (isRam(kind) ? { range: 'RAM', page } : { range: rangeName(kind, id - 1), page });

function rangeName(kind: number, index: number): string {
  if (isMmio2(kind)) return `MMIO2 ${index + 1}`;
  return kind === PageKind.ROM_VIRGIN ? `ROM ${index + 1}` : `ROM ${index + 1} shadow`;
}
