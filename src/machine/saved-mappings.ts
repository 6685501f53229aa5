import type { PgmBasic } from '../../formats/pgm/head.ts';
import type { Mapping } from '../../formats/pgm/layouts.ts';
import { FOUR_GIB } from '../../formats/sizes.ts';
import { MAPPING_UNIT } from '../paging/mappings/guest-mapping.ts';
import type { GuestMappings } from '../paging/mappings/guest-mappings.ts';

/** The hypervisor's mappings in a state. */
export type SavedMappings = Pick<PgmBasic, 'mappings' | 'mappingsFixed' | 'mappingFixed' | 'mappingFixedSize'>;

/**
 * Puts the mappings of a state into the model. VirtualBox 3.0 and later skip the list, so an impossible list does no
 * harm: it stays as it was saved.
 * @returns whether the model has taken them
 */
export function loadMappings(mappings: GuestMappings, saved: SavedMappings): boolean {
  const fixed = { base: Number(saved.mappingFixed), size: saved.mappingFixedSize };
  if (saved.mappingsFixed && !isArea(fixed.base, fixed.size)) return false;
  const list = saved.mappings.map(({ address, pageTables, description }) => {
    return { start: Number(address), size: Number(pageTables) * MAPPING_UNIT, description };
  });
  for (const [i, { start, size }] of list.entries())
    if (!isArea(start, size) || (i > 0 && list[i - 1].start + list[i - 1].size > start)) return false;
  mappings.load(list, saved.mappingsFixed ? fixed : undefined);
  return true;
}

const NO_AREA = { mappingFixed: 0n, mappingFixedSize: 0 };

/** The mappings for a new state. @param loaded mappings of the state that was loaded */
export function savedMappings(mappings: GuestMappings, loaded: SavedMappings): SavedMappings {
  const list: Mapping[] = mappings.all.map(({ start, size, description }) => {
    return { address: BigInt(start), pageTables: BigInt(size / MAPPING_UNIT), description };
  });
  // An area that could not be fixed again after a load is saved as fixed, since the guest believes that it is.
  const area = mappings.fixed ?? mappings.restoredFixed;
  if (area)
    return { mappings: list, mappingsFixed: true, mappingFixed: BigInt(area.base), mappingFixedSize: area.size };
  const { mappingFixed, mappingFixedSize } = loaded.mappingsFixed ? NO_AREA : loaded;
  return { mappings: list, mappingsFixed: false, mappingFixed, mappingFixedSize };
}

function isArea(start: number, size: number): boolean {
  return start % MAPPING_UNIT === 0 && size % MAPPING_UNIT === 0 && size > 0 && start + size <= FOUR_GIB;
}
