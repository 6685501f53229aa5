import type { ControlRegisters } from '../../formats/units/cpu/cpum.ts';

/** PGMMODE by value; 1 to 7 are modes of guests and of shadow tables, 8 and 9 of shadow tables only (paging.md 1). */
const PAGING_MODES = {
  1: 'real',
  2: 'protected',
  3: '32-bit',
  4: 'pae',
  5: 'pae-nx',
  6: 'amd64',
  7: 'amd64-nx',
  8: 'nested',
  9: 'ept',
} as const;

/** PGMMODE of a guest. */
export type PagingMode = 'real' | 'protected' | '32-bit' | 'pae' | 'pae-nx' | 'amd64' | 'amd64-nx';
/** Forms of virtual addresses: modes of guests, and five levels (LA57), which VirtualBox does not have. */
export type AddressMode = PagingMode | 'amd64-la57' | 'amd64-nx-la57';
/** PGMMODE of shadow tables. The table of `shadow-mode.ts` chooses neither `pae-nx` nor `amd64-nx`. */
export type ShadowMode = Exclude<PagingMode, 'real' | 'protected'> | 'nested' | 'ept';

/** Names of modes, as `info mode` prints them; VirtualBox has no name for five levels. */
export const MODE_NAMES: Readonly<Record<AddressMode | ShadowMode, string>> = {
  real: 'Real',
  protected: 'Protected',
  '32-bit': '32-bit',
  pae: 'PAE',
  'pae-nx': 'PAE+NX',
  amd64: 'AMD64',
  'amd64-nx': 'AMD64+NX',
  'amd64-la57': 'AMD64+LA57',
  'amd64-nx-la57': 'AMD64+NX+LA57',
  nested: 'Nested',
  ept: 'EPT',
};

/** Types by which routines are combined; modes with and without NX share one (PGM_TYPE_REAL …). */
export type PagingType = 'real' | 'protected' | '32-bit' | 'pae' | 'amd64' | 'nested' | 'ept';

export function pagingTypeOf(mode: PagingMode | ShadowMode): PagingType {
  return mode.replace('-nx', '') as PagingType;
}

/** SUPPAGINGMODE: paging mode of the host's kernel, by value 1 to 10, with the name that `info mode` prints. */
export const HOST_MODES = [
  '32-bit',
  '32-bit+G',
  'PAE',
  'PAE+G',
  'PAE+NX',
  'PAE+G+NX',
  'AMD64',
  'AMD64+G',
  'AMD64+NX',
  'AMD64+G+NX',
] as const;
/** Paging modes of hosts, as VirtualBox names them. */
export type HostMode = (typeof HOST_MODES)[number];

export const CR0_PE = 1n << 0n;
export const CR0_WP = 1n << 16n;
export const CR0_PG = 1n << 31n;
export const CR4_PSE = 1n << 4n;
export const CR4_PAE = 1n << 5n;
export const CR4_PGE = 1n << 7n;
const CR4_LA57 = 1n << 12n;
export const EFER_LME = 1n << 8n;
export const EFER_LMA = 1n << 10n;
export const EFER_NXE = 1n << 11n;

/**
 * The mode of a guest, in VirtualBox's order of tests: the first hit wins, and LME counts, not LMA (`PGMChangeMode`).
 */
export function pagingModeOf({ cr0, cr4, efer }: Pick<ControlRegisters, 'cr0' | 'cr4' | 'efer'>): PagingMode {
  if ((cr0 & CR0_PE) === 0n) return 'real';
  if ((cr0 & CR0_PG) === 0n) return 'protected';
  if ((cr4 & CR4_PAE) === 0n) return '32-bit';
  const nx = (efer & EFER_NXE) !== 0n;
  if ((efer & EFER_LME) === 0n) return nx ? 'pae-nx' : 'pae';
  return nx ? 'amd64-nx' : 'amd64';
}

/** The mode of a guest, which also tells whether long mode has five levels. */
export function addressModeOf(registers: Pick<ControlRegisters, 'cr0' | 'cr4' | 'efer'>): AddressMode {
  const mode = pagingModeOf(registers);
  const isLong = mode === 'amd64' || mode === 'amd64-nx';
  return isLong && (registers.cr4 & CR4_LA57) !== 0n ? `${mode}-la57` : mode;
}

/** The name of a stored `enmGuestMode`; undefined for a value that no x86 guest has. */
export function pagingModeName(guestMode: number): PagingMode | undefined {
  return guestMode <= 7
    ? ((PAGING_MODES as Record<number, PagingMode | ShadowMode>)[guestMode] as PagingMode | undefined)
    : undefined;
}

/** PGMMODE of a guest, as states hold it. */
export function guestModeNumber(mode: PagingMode): number {
  return Number(Object.entries(PAGING_MODES).find(([, name]) => name === mode)?.[0]);
}

/** Whether a guest in this mode has page tables. */
export function hasPaging(mode: AddressMode): boolean {
  return mode !== 'real' && mode !== 'protected';
}
