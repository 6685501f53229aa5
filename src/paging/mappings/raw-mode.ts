import { UsageError } from '../../../formats/errors.ts';
import { MIB, PAGE_SIZE } from '../../../formats/sizes.ts';
import { PAGE_MASK_64 } from '../schemes.ts';
import { Cr3MappingArea, DynamicMappingArea, type ShowPage } from './dynamic-area.ts';
import { type GuestMapping, MAPPING_UNIT } from './guest-mapping.ts';
import type { GuestMappings } from './guest-mappings.ts';
import { HypervisorArea, type ReservedFor } from './hypervisor-area.ts';
import type { HypervisorPages } from './hypervisor-pages.ts';
import type { IntermediateContext } from './intermediate-context.ts';
import type { MappingTables } from './mapping-tables.ts';

/** VirtualBox's preferred address for the hypervisor, and its size in bytes. */
const FIRST_PLACE = 0xa000_0000;
const SIZE = 8 * MIB;
const DESCRIPTION = 'Hypervisor Memory Area';
/** Address of the code of world switches in the host's kernel. */
const SWITCHER = 0x8010_0000;

/** An object in the hypervisor's area, beside the areas for mapping: kind, name, bytes. */
export type RawObject = readonly [what: ReservedFor, description: string, size: number];

/**
 * Raw mode of a machine: the hypervisor's mapping in the guest's address space, and in it the areas that map pages of
 * the guest (paging.md 5.2, 5.3; guest-memory.md 12.2).
 */
export class RawMode {
  /** All mappings of the machine. */
  readonly mappings: GuestMappings;
  /** Places in the hypervisor's area. */
  readonly area: HypervisorArea;
  /** Maps the guest's root tables. */
  readonly cr3Area: Cr3MappingArea;
  /** Maps pages for a short time. */
  readonly dynamicArea: DynamicMappingArea;
  /** The hypervisor's own mapping. */
  readonly mapping: GuestMapping;
  /** Called when the hypervisor has moved. */
  onMove: ((delta: number) => void) | undefined;

  /**
   * Places the mappings, in the area that the guest agreed to before its state was saved, if there is one.
   * @param objects further objects that need an address
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
    mappings.use();
    this.area = new HypervisorArea(this.mapping.start, this.mapping.size);
    const dummy = (pages.allocate(true) ?? 0) * PAGE_SIZE;
    const cr3 = this.area.reserveWithin('cr3-area', 'CR3 mapping', Cr3MappingArea.SIZE);
    this.cr3Area = new Cr3MappingArea(cr3.address, dummy, this.#showAt(cr3.address));
    this.area.fence();
    const dynamic = this.area.reserveWithin('dynamic-area', 'Dynamic mapping', DynamicMappingArea.SIZE);
    this.dynamicArea = new DynamicMappingArea(dynamic.address, dummy, this.#showAt(dynamic.address));
    this.area.fence();
    for (const object of objects) {
      const { address, size } = this.area.reserve(...object);
      const show = this.#showAt(address);
      for (let page = 0; page < size / PAGE_SIZE; page++) show(page, (pages.allocate(true) ?? 0) * PAGE_SIZE);
    }
  }

  /** The host page at an address of the mapping; undefined for none, as at fences. */
  hostAt(address: number): number | undefined {
    const [tables, page] = this.#placeOf(address - this.mapping.start);
    const entry = tables?.entry(page, true) ?? 0n;
    return entry === 0n ? undefined : Number(entry & PAGE_MASK_64) + (address % PAGE_SIZE);
  }

  /** A function that maps pages from an address on; the pages move with the mapping. */
  #showAt(address: number): ShowPage {
    const from = address - this.mapping.start;
    return (index, host) => {
      const [tables, page] = this.#placeOf(from + index * PAGE_SIZE);
      if (host === undefined) tables?.unmap(page);
      else tables?.map(page, host);
    };
  }

  #placeOf(offset: number): [tables: MappingTables | undefined, page: number] {
    return [this.mapping.tables[Math.floor(offset / MAPPING_UNIT)], Math.floor((offset % MAPPING_UNIT) / PAGE_SIZE)];
  }

  /** Fixes the mappings where the guest believes them to be. They float if they don't fit there any more. */
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
