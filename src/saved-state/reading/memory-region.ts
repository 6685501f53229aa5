import type { GuestPhys } from '../../../formats/sizes.ts';

/** Kinds of guest-physical regions. */
export type RegionKind = 'ram' | 'rom' | 'mmio2' | 'mmio';

/** A stretch of guest-physical memory, `[start, end)`. */
export interface MemoryRegion {
  /** Kind of the region. */
  kind: RegionKind;
  /** Guest-physical address of the first byte. */
  start: GuestPhys;
  /** End address, exclusive. */
  end: GuestPhys;
  /** Name that the writer gave the range. */
  name: string;
  /** Id in page records, for ROMs and MMIO2; in pgm versions 6 to 9, the index of the RAM range. */
  id?: number;
  /** First page of the region within that range. */
  firstPage?: number;
}

/** A range that users can choose by its name. A range that is not mapped starts at 0. */
export interface NamedRange extends MemoryRegion {
  /** Another name: `device/instance/region`; empty if there is none. */
  key: string;
  /** Whether the guest had the range mapped, at `start`. */
  isMapped: boolean;
}
