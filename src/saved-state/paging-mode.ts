import type { ControlRegisters } from '../../formats/units/cpum.ts';

/** PGMMODE values that a saved guest can have (pgm-unit.md 9). */
export const PAGING_MODES = {
  1: 'real',
  2: 'protected',
  3: '32-bit',
  4: 'pae',
  5: 'pae-nx',
  6: 'amd64',
  7: 'amd64-nx',
} as const;
export type PagingMode = (typeof PAGING_MODES)[keyof typeof PAGING_MODES];

const CR0_PE = 1n << 0n;
const CR0_PG = 1n << 31n;
const CR4_PAE = 1n << 5n;
const EFER_LMA = 1n << 10n;
const EFER_NXE = 1n << 11n;

/** The paging mode that control registers imply, as the processor would. */
export function pagingModeOf({ cr0, cr4, efer }: ControlRegisters): PagingMode {
  if ((cr0 & CR0_PG) === 0n) return (cr0 & CR0_PE) === 0n ? 'real' : 'protected';
  const nx = (efer & EFER_NXE) !== 0n;
  if ((efer & EFER_LMA) !== 0n) return nx ? 'amd64-nx' : 'amd64';
  if ((cr4 & CR4_PAE) !== 0n) return nx ? 'pae-nx' : 'pae';
  return '32-bit';
}

/** The name of a stored `enmGuestMode`; undefined for a value that no x86 guest has. */
export function pagingModeName(guestMode: number): PagingMode | undefined {
  return (PAGING_MODES as Record<number, PagingMode>)[guestMode];
}
