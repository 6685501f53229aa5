import { MIB } from '../../../formats/sizes.ts';
import type { MappingTables } from './mapping-tables.ts';

/** Mappings come in pieces of a 32-bit directory entry. */
export const MAPPING_UNIT = 4 * MIB;
export const MIN_MAPPING = 2 * MIB;
export const MAX_MAPPING = 64 * MIB;
/** Conflict addresses that a mapping remembers. */
const HISTORY = 8;

/** Callback of a move: `suggest` asks first, and may be refused; `relocate` reports the move. */
export type Relocate = (call: 'suggest' | 'relocate', from: number, to: number) => boolean;

/** A stretch of the guest's address space that the hypervisor occupies. */
export interface GuestMapping {
  /** Virtual address. */
  start: number;
  /** A multiple of 4 MiB. */
  size: number;
  /** Name of the mapping, for people. */
  description: string;
  /** Callback of moves. */
  relocate: Relocate;
  /** Number of conflicts with the guest. */
  conflicts: number;
  /** Addresses of the last conflicts. */
  history: number[];
  /** Page tables of the mapping, for each 4 MiB; none before raw mode begins. @internal */
  tables: readonly MappingTables[];
}

/** The area to which the guest has agreed to fix the mappings. */
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
