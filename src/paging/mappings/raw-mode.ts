import { UsageError } from '../../../formats/errors.ts';
import { MIB, PAGE_SIZE } from '../../../formats/sizes.ts';
import { Cr3MappingArea, DynamicMappingArea } from './dynamic-area.ts';
import type { GuestMapping, GuestMappings } from './guest-mappings.ts';
import { HypervisorArea, type ReservedFor } from './hypervisor-area.ts';
import type { HypervisorPages } from './hypervisor-pages.ts';
import type { IntermediateContext } from './intermediate-context.ts';

/** Where VirtualBox wants the hypervisor at first, and how much it takes. */
const FIRST_PLACE = 0xa000_0000;
const SIZE = 8 * MIB;
const DESCRIPTION = 'Hypervisor Memory Area';
/** Where the host's kernel has the code of world switches. */
const SWITCHER = 0x8010_0000;

/** What lives in the hypervisor's area beside the areas for mapping: names and bytes. */
export type RawObject = readonly [what: ReservedFor, description: string, size: number];

/**
 * What a machine has in raw mode: the hypervisor's mapping in the guest's address space, and in it the areas that show
 * pages of the guest (paging.md 5.2, 5.3; guest-memory.md 12.2).
 */
export class RawMode {
  /** All mappings of the machine. */
  readonly mappings: GuestMappings;
  /** What stands where. */
  readonly area: HypervisorArea;
  /** Shows the guest's root tables. */
  readonly cr3Area: Cr3MappingArea;
  /** Shows pages for a short time. */
  readonly dynamicArea: DynamicMappingArea;
  /** The hypervisor's own mapping. */
  readonly mapping: GuestMapping;
  /** Told when the hypervisor has moved. */
  onMove: ((delta: number) => void) | undefined;

  /**
   * Lays the mappings out; where the guest has agreed to an area before its state was saved, there.
   * @param objects what else is to have an address
   * @throws UsageError VERR_PGM_INTERMEDIATE_PAGE_CONFLICT where there is no place
   */
  constructor(
    mappings: GuestMappings,
    context: IntermediateContext,
    pages: HypervisorPages,
    objects: readonly RawObject[],
  ) {
    this.mappings = mappings;
    const switcher = pages.allocate(true);
    if (switcher !== undefined) context.add(SWITCHER, switcher * PAGE_SIZE, PAGE_SIZE);
    this.mapping = mappings.own(FIRST_PLACE, SIZE, DESCRIPTION, (call, from, to) => {
      if (call === 'relocate' && from !== to) this.onMove?.(to - from);
      return true;
    });
    if (mappings.wantsLayout) mappings.finalise();
    this.#fixAgain();
    this.area = new HypervisorArea(this.mapping.start, this.mapping.size);
    const dummy = (pages.allocate(false) ?? 0) * PAGE_SIZE;
    this.cr3Area = new Cr3MappingArea(0, dummy);
    this.cr3Area.base = this.area.reserveWithin('cr3-area', 'CR3 mapping', this.cr3Area.size).address;
    this.area.fence();
    this.dynamicArea = new DynamicMappingArea(0, dummy);
    this.dynamicArea.base = this.area.reserveWithin('dynamic-area', 'Dynamic mapping', this.dynamicArea.size).address;
    this.area.fence();
    for (const object of objects) this.area.reserve(...object);
  }

  /** Where the guest believes that the mappings are. They float where they don't fit there any more. */
  #fixAgain(): void {
    const area = this.mappings.restoredFixed;
    if (!area) return;
    try {
      this.mappings.fix(area.base, area.size, true);
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
    }
  }
}
