import { FOUR_GIB, GIB } from '../../../formats/sizes.ts';
import { type GuestDirectory, isUsed } from './guest-directory.ts';
import { type GuestMapping, MAPPING_UNIT } from './guest-mapping.ts';
import type { IntermediateContext } from './intermediate-context.ts';
import { mappingError } from './mapping-errors.ts';

/** Finds places in the guest's address space for mappings of the hypervisor. */
export class MappingPlaces {
  readonly #context: IntermediateContext;
  readonly #list: () => readonly GuestMapping[];

  /** @param list all mappings, as they are placed now */
  constructor(context: IntermediateContext, list: () => readonly GuestMapping[]) {
    this.#context = context;
    this.#list = list;
  }

  /** A mapping that overlaps the range. */
  overlapping(start: number, size: number, except?: GuestMapping): GuestMapping | undefined {
    return this.#list().find(
      (other) => other !== except && other.start < start + size && start < other.start + other.size,
    );
  }

  /** Whether world switches need an address of the range. */
  usesContext(start: number, size: number): boolean {
    for (let at = start; at < start + size; at += MAPPING_UNIT) if (this.#context.usesSlot(at)) return true;
    return false;
  }

  /** Whether a place lies below 4 GiB, world switches leave it free, and the mapping's owner agrees. */
  isAcceptable(mapping: GuestMapping, from: number, place: number): boolean {
    if (place < 0 || place + mapping.size > FOUR_GIB || this.usesContext(place, mapping.size)) return false;
    return mapping.relocate('suggest', from, place);
  }

  /**
   * The first place of a mapping, downwards from the top; the last 4 MiB stay free.
   * @throws UsageError VERR_PGM_INTERMEDIATE_PAGE_CONFLICT
   */
  first(mapping: GuestMapping, from: number): number {
    for (let place = FOUR_GIB - MAPPING_UNIT - mapping.size; place > 0; place -= MAPPING_UNIT) {
      if (!this.overlapping(place, mapping.size, mapping) && this.isAcceptable(mapping, from, place)) return place;
    }
    throw mappingError(
      'VERR_PGM_INTERMEDIATE_PAGE_CONFLICT',
      `Cannot place ${mapping.description}: world switches or its owner leave no room`,
    );
  }

  /**
   * A place that the guest does not use, and that the mapping did not have to leave recently; undefined if there is
   * none.
   */
  free(mapping: GuestMapping, directory: GuestDirectory): number | undefined {
    for (let place = FOUR_GIB - mapping.size; place > 0; place -= MAPPING_UNIT) {
      const crossesPart = directory.pae && Math.floor(place / GIB) !== Math.floor((place + mapping.size - 1) / GIB);
      if (crossesPart || mapping.history.includes(place) || isUsed(directory, place, mapping.size)) continue;
      if (!this.overlapping(place, mapping.size, mapping) && this.isAcceptable(mapping, mapping.start, place))
        return place;
    }
    return undefined;
  }
}
