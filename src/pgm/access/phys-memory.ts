import type { GuestPhys } from '../../../formats/sizes.ts';

/**
 * Who accesses: guest code, whose addresses pass the A20 gate, or a device, whose don't. Both set the same dirty state.
 */
export type AccessOrigin = 'guest' | 'device';

/**
 * Guest-physical memory through the one door: handlers are called, writes are noted for dirty tracking, guest accesses
 * pass the A20 gate. Addresses where nothing is read as 0xff, and writes there are dropped. The default origin is
 * `'guest'`.
 */
export interface PhysMemory {
  /** Fills `target` from `gcPhys` on, across pages and ranges. */
  read(gcPhys: GuestPhys, target: Uint8Array, origin?: AccessOrigin): void;
  /** Writes all of `source` to `gcPhys` and what follows. */
  write(gcPhys: GuestPhys, source: Uint8Array, origin?: AccessOrigin): void;
  /** 4 bytes, little-endian. */
  readU32(gcPhys: GuestPhys): number;
  /** Writes 4 bytes, little-endian. */
  writeU32(gcPhys: GuestPhys, value: number): void;
  /** 8 bytes, little-endian. */
  readU64(gcPhys: GuestPhys): bigint;
  /** Writes 8 bytes, little-endian. */
  writeU64(gcPhys: GuestPhys, value: bigint): void;
}
