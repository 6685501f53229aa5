import { MIB } from '../../../formats/sizes.ts';
import type { MappingTables } from './mapping-tables.ts';

/** Mappings come in pieces of a 32-bit directory entry. */
export const MAPPING_UNIT = 4 * MIB;
export const MIN_MAPPING = 2 * MIB;
export const MAX_MAPPING = 64 * MIB;
/** Conflict addresses that a mapping remembers. */
const HISTORY = 8;

/** Asked first, then told: `suggest` may be refused, `relocate` can't. */
export type Relocate = (call: 'suggest' | 'relocate', from: number, to: number) => boolean;

/** A stretch of the guest's address space that the hypervisor sits in. */
export interface GuestMapping {
  /** Virtual address. */
  start: number;
  /** A multiple of 4 MiB. */
  size: number;
  /** For people. */
  description: string;
  /** Asked and told of moves. */
  relocate: Relocate;
  /** How often the guest wanted its place, and the last eight places where it did. */
  conflicts: number;
  /** Addresses. */
  history: number[];
  /** What maps it, for each 4 MiB; none before raw mode begins. @internal */
  tables: readonly MappingTables[];
}

/** Where the guest has agreed to have the mappings. */
export interface FixedArea {
  /** Virtual address. */
  base: number;
  /** Bytes. */
  size: number;
}

/** 4 MiB of a mapping: one directory entry of 32 bits, two of PAE. */
export interface MappingPiece {
  address: number;
  mapping: GuestMapping;
  tables: MappingTables;
}

export function noteConflict(mapping: GuestMapping): void {
  mapping.history[mapping.conflicts % HISTORY] = mapping.start;
  mapping.conflicts++;
}
