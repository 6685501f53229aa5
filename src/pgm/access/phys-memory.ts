import type { GuestPhys, GuestVirt } from '../../../formats/sizes.ts';

/**
 * Origin of an access: a CPU, by its number, whose addresses pass its A20 gate; or a device, whose addresses pass none.
 * Writes of both set the same dirty state.
 */
export type AccessOrigin = number | 'device';

/**
 * Guest-physical memory through the one door: handlers are called, writes are noted for dirty tracking, addresses of
 * CPUs pass their A20 gates. Addresses without memory read as 0xff, and drop writes. The default origin is CPU 0.
 */
export interface PhysMemory {
  /**
   * Fills `target` from `gcPhys` on, across pages and ranges.
   * @param through virtual address of the access: of several virtual handlers, the one of this address is called
   */
  read(gcPhys: GuestPhys, target: Uint8Array, origin?: AccessOrigin, through?: GuestVirt): void;
  /** Writes all of `source` to `gcPhys` and to the bytes that follow. */
  write(gcPhys: GuestPhys, source: Uint8Array, origin?: AccessOrigin, through?: GuestVirt): void;
  /** 4 bytes, little-endian. */
  readU32(gcPhys: GuestPhys, origin?: AccessOrigin): number;
  /** Writes 4 bytes, little-endian. */
  writeU32(gcPhys: GuestPhys, value: number, origin?: AccessOrigin): void;
  /** 8 bytes, little-endian. */
  readU64(gcPhys: GuestPhys, origin?: AccessOrigin): bigint;
  /** Writes 8 bytes, little-endian. */
  writeU64(gcPhys: GuestPhys, value: bigint, origin?: AccessOrigin): void;
}
