import type { GuestPhys } from '../../../formats/sizes.ts';

/** What can be at guest-physical addresses. */
export type RegionKind = 'ram' | 'rom' | 'mmio2' | 'mmio';

/** A stretch of guest-physical memory, `[start, end)`. */
export interface MemoryRegion {
  /** What is there. */
  kind: RegionKind;
  /** Guest-physical address of the first byte. */
  start: GuestPhys;
  /** Exclusive. */
  end: GuestPhys;
  /** The writer's name for the range. */
  name: string;
  /** Range id in page records: of ROMs and MMIO2. pgm versions 6 to 9: index of the RAM range. */
  id?: number;
  /** First page of the region within that range. */
  firstPage?: number;
}

/** A range that can be asked for by its name. One that is not mapped starts at 0. */
export interface NamedRange extends MemoryRegion {
  /** Another name: `device/instance/region`; empty where there is none. */
  key: string;
  /** Whether `start` is where the guest had it mapped. */
  isMapped: boolean;
}
