import { TWO_32 } from '../../formats/sizes.ts';
import type { AddressMode } from './modes.ts';

/** Bits of an entry's low half with the same meaning in every scheme. */
export const P = 1 << 0;
export const RW = 1 << 1;
export const US = 1 << 2;
export const PWT = 1 << 3;
export const PCD = 1 << 4;
export const A = 1 << 5;
export const D = 1 << 6;
/** In a directory entry: it maps a large page. In a table entry this bit is PAT. */
export const PS = 1 << 7;
export const G = 1 << 8;
/** Bit 63: bit 31 of an entry's high half. */
export const NX_HIGH = 0x80000000;

/** The address in a 64-bit entry: bits 12 to 51. */
export const PAGE_MASK_64 = 0x000f_ffff_ffff_f000n;

/** Processor manuals' name for the tables of a level. */
export type TableName = 'PML5' | 'PML4' | 'PDPT' | 'PD' | 'PT';

/** One level of tables, from the root down. */
export interface LevelScheme {
  name: TableName;
  /** Number of address bits below those that choose the entry: an entry covers 2^shift bytes. */
  shift: number;
  /** 2^indexBits entries. */
  indexBits: number;
  /** Condition under which an entry maps a page itself instead of referring to a table. */
  maps: 'always' | 'never' | 'PS' | 'PS with CR4.PSE' | 'PS with CPUID 1 GiB';
  /** Entries hold RW, US, A and NX; legacy PAE's pointers don't. */
  hasRights: boolean;
  /** Bits that must be zero in entries that refer to tables, besides `reservedBits`. */
  reserved: bigint;
  /** Bits that must be zero in entries that map large pages. */
  largeReserved: bigint;
}

/** Translation of addresses in a mode. */
export interface PagingScheme {
  name: '32-bit' | 'pae' | 'long';
  entrySize: 4 | 8;
  addressBits: 32 | 48 | 57;
  /** Bits of CR3 that hold the root's address. */
  rootMask: bigint;
  /** Loading CR3 latches the root's entries. */
  latchesRoot: boolean;
  levels: readonly LevelScheme[];
}

const bits = (first: number, last: number): bigint => ((1n << BigInt(last - first + 1)) - 1n) << BigInt(first);
const level = (
  name: TableName,
  shift: number,
  indexBits: number,
  maps: LevelScheme['maps'],
  reserved = 0n,
  largeReserved = 0n,
): LevelScheme => ({
  name,
  shift,
  indexBits,
  maps,
  hasRights: true,
  reserved,
  largeReserved,
});

const PAE_IGNORES_NOTHING = bits(52, 62);
/** Bits 1, 2, 5 to 8 and 52 to 63. */
const PAE_POINTER_RESERVED = 0xfff0_0000_0000_01e6n;

/** Facts: paging.md 6.1, 6.2. */
const TWO_LEVELS: PagingScheme = {
  name: '32-bit',
  entrySize: 4,
  addressBits: 32,
  rootMask: 0xffff_f000n,
  latchesRoot: false,
  levels: [level('PD', 22, 10, 'PS with CR4.PSE', 0n, bits(21, 21)), level('PT', 12, 10, 'always')],
};

const PAE: PagingScheme = {
  name: 'pae',
  entrySize: 8,
  addressBits: 32,
  rootMask: 0xffff_ffe0n,
  latchesRoot: true,
  levels: [
    { ...level('PDPT', 30, 2, 'never', PAE_POINTER_RESERVED), hasRights: false },
    level('PD', 21, 9, 'PS', PAE_IGNORES_NOTHING, PAE_IGNORES_NOTHING | bits(13, 20)),
    level('PT', 12, 9, 'always', 0n, PAE_IGNORES_NOTHING),
  ],
};

const LONG: PagingScheme = {
  name: 'long',
  entrySize: 8,
  addressBits: 48,
  rootMask: PAGE_MASK_64,
  latchesRoot: false,
  levels: [
    level('PML4', 39, 9, 'never', bits(7, 7)),
    level('PDPT', 30, 9, 'PS with CPUID 1 GiB', bits(8, 8), bits(13, 29)),
    level('PD', 21, 9, 'PS', 0n, bits(13, 20)),
    level('PT', 12, 9, 'always'),
  ],
};

/** LA57: one more level, of the same form as the one below it. */
const FIVE_LEVELS: PagingScheme = {
  ...LONG,
  addressBits: 57,
  levels: [level('PML5', 48, 9, 'never', bits(7, 7)), ...LONG.levels],
};

const SCHEMES: Readonly<Record<AddressMode, PagingScheme | undefined>> = {
  real: undefined,
  protected: undefined,
  '32-bit': TWO_LEVELS,
  pae: PAE,
  'pae-nx': PAE,
  amd64: LONG,
  'amd64-nx': LONG,
  'amd64-la57': FIVE_LEVELS,
  'amd64-nx-la57': FIVE_LEVELS,
};

/** The scheme of a mode; undefined without paging. */
export function schemeOf(mode: AddressMode): PagingScheme | undefined {
  return SCHEMES[mode];
}

/** Facts besides the mode that decide the meaning of entries. */
export interface PagingRules {
  /** CR0.WP: read-only pages are read-only for the supervisor, too. */
  wp: boolean;
  /** EFER.NXE */
  nxe: boolean;
  /** CR4.PSE */
  pse: boolean;
  /** CPUID: bits 13 to 20 of a 4 MiB entry are address bits 32 to 39. */
  pse36: boolean;
  /** CPUID: 1 GiB pages. */
  gigabytePages: boolean;
  /** Width of physical addresses, 32 to 52. */
  physicalBits: number;
}

/** A level prepared for arithmetic with numbers: masks as halves of 32 bits. */
export interface WalkLevel {
  /** Level as VirtualBox counts: 1 is the last. */
  number: number;
  shift: number;
  indexMask: number;
  /** Bytes that an entry covers. */
  span: number;
  /** Entries always map pages. */
  last: boolean;
  /** Entries with PS map pages. */
  large: boolean;
  hasRights: boolean;
  tableReservedLow: number;
  tableReservedHigh: number;
  pageReservedLow: number;
  pageReservedHigh: number;
}

/** The levels of a scheme under given rules. In 32-bit tables only large entries have reserved bits. */
export function walkLevels(scheme: PagingScheme, rules: PagingRules): WalkLevel[] {
  return scheme.levels.map((entry, i) => {
    const last = entry.maps === 'always';
    const large =
      entry.maps === 'PS' ||
      (entry.maps === 'PS with CR4.PSE' && rules.pse) ||
      (entry.maps === 'PS with CPUID 1 GiB' && rules.gigabytePages);
    // Without support for large pages, PS is reserved.
    const psReserved = entry.maps === 'PS with CPUID 1 GiB' && !large ? bits(7, 7) : 0n;
    const table = scheme.entrySize === 8 ? entry.reserved | psReserved | reservedBits(rules, entry.hasRights) : 0n;
    const page =
      entry.largeReserved | (scheme.entrySize === 8 ? reservedBits(rules, true) : last ? 0n : pse36Reserved(rules));
    return {
      number: scheme.levels.length - i,
      shift: entry.shift,
      indexMask: 2 ** entry.indexBits - 1,
      span: 2 ** entry.shift,
      last,
      large,
      hasRights: entry.hasRights,
      tableReservedLow: Number(table & 0xffffffffn),
      tableReservedHigh: Number(table >> 32n),
      pageReservedLow: Number(page & 0xffffffffn),
      pageReservedHigh: Number(page >> 32n),
    };
  });
}

/** Address bits at or above the physical width, and NX where it is off. */
function reservedBits({ physicalBits, nxe }: PagingRules, hasNx: boolean): bigint {
  const tooHigh = physicalBits < 52 ? bits(physicalBits, 51) : 0n;
  return hasNx && !nxe ? tooHigh | bits(63, 63) : tooHigh;
}

/** Bits 13 to 20 as far as they are address bits beyond the physical width. */
function pse36Reserved(rules: PagingRules): bigint {
  const width = largePageBits(rules);
  return width < 40 ? bits(width - 32 + 13, 20) : 0n;
}

/**
 * Width of the address of a 4 MiB page (paging.md 6.1). As in today's VirtualBox, it is the physical width, but at
 * least 36 and at most 40 bits; in 2010 it was 36. Without PSE-36 it is 32.
 */
function largePageBits({ pse36, physicalBits }: Pick<PagingRules, 'pse36' | 'physicalBits'>): number {
  return pse36 ? Math.min(40, Math.max(36, physicalBits)) : 32;
}

/** Start of a 4 MiB page: bits 13 to 20 of its entry are address bits from 32 on, up to the width of addresses. */
export function largePageBase(entry: number, rules: Pick<PagingRules, 'pse36' | 'physicalBits'>): number {
  const high = (entry >>> 13) & (2 ** (largePageBits(rules) - 32) - 1);
  return ((entry & 0xffc00000) >>> 0) + high * TWO_32;
}
