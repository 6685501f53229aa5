/** Layout of a table's entries. */
export type EntryFormat = '32-bit' | 'pae' | 'ept';

/** Maps the number of a guest entry to the shadow entries made from it. */
export type SlotRule =
  /** The entry with the same number. */
  | 'same'
  /** The shadow table has 512 entries, the guest's 1024: it shadows the half in which its key lies. */
  | 'half'
  /** Two shadow entries for each guest entry: the shadow directory covers this quarter of the guest's. */
  | { quarter: number }
  /** Four guest entries from the key on. */
  | 'from-key';

/** Use of a page of the pool (PGMPOOLKIND). */
export interface PoolKind {
  number: number;
  name: string;
  format: EntryFormat;
  /** Entries name guest pages, or other tables of the pool. */
  holds: 'pages' | 'tables';
  /** The guest's table that it shadows and that is therefore write-monitored. */
  guest?: { entrySize: 4 | 8; slots: SlotRule };
  /**
   * Kinds of one family can shadow the same guest page at a time: X are tables of 32-bit guests, Y of others, P is for
   * memory that is no table. A page that is used as another family's has been reused.
   */
  family?: 'X' | 'Y' | 'P';
}

/** All kinds by name, with their numbers (paging.md 8.1). */
export const KINDS = {
  PT32_FOR_PHYS: pages(2, '32BIT_PT_FOR_PHYS', '32-bit', 'P'),
  PT32_FOR_PT32: pages(3, '32BIT_PT_FOR_32BIT_PT', '32-bit', 'X', 4),
  PT32_FOR_4MB: pages(4, '32BIT_PT_FOR_32BIT_4MB', '32-bit', 'X'),
  PAE_PT_FOR_PHYS: pages(5, 'PAE_PT_FOR_PHYS', 'pae', 'P'),
  PAE_PT_FOR_PT32: pages(6, 'PAE_PT_FOR_32BIT_PT', 'pae', 'X', 4, 'half'),
  PAE_PT_FOR_4MB: pages(7, 'PAE_PT_FOR_32BIT_4MB', 'pae', 'X'),
  PAE_PT_FOR_PAE_PT: pages(8, 'PAE_PT_FOR_PAE_PT', 'pae', 'Y', 8),
  PAE_PT_FOR_2MB: pages(9, 'PAE_PT_FOR_PAE_2MB', 'pae', 'Y'),
  PD32: tables(10, '32BIT_PD', '32-bit', 'X', 4),
  PD32_PHYS: tables(11, '32BIT_PD_PHYS', '32-bit'),
  PAE_PD0_FOR_PD32: tables(12, 'PAE_PD0_FOR_32BIT_PD', 'pae', 'X', 4, { quarter: 0 }),
  PAE_PD1_FOR_PD32: tables(13, 'PAE_PD1_FOR_32BIT_PD', 'pae', 'X', 4, { quarter: 1 }),
  PAE_PD2_FOR_PD32: tables(14, 'PAE_PD2_FOR_32BIT_PD', 'pae', 'X', 4, { quarter: 2 }),
  PAE_PD3_FOR_PD32: tables(15, 'PAE_PD3_FOR_32BIT_PD', 'pae', 'X', 4, { quarter: 3 }),
  PAE_PD: tables(16, 'PAE_PD_FOR_PAE_PD', 'pae', 'Y', 8),
  PAE_PD_PHYS: tables(17, 'PAE_PD_PHYS', 'pae'),
  PAE_PDPT_FOR_PD32: tables(18, 'PAE_PDPT_FOR_32BIT', 'pae'),
  PAE_PDPT: tables(19, 'PAE_PDPT', 'pae', 'X', 8, 'from-key'),
  PAE_PDPT_PHYS: tables(20, 'PAE_PDPT_PHYS', 'pae'),
  PDPT64: tables(21, '64BIT_PDPT_FOR_64BIT_PDPT', 'pae', 'Y', 8),
  PDPT64_PHYS: tables(22, '64BIT_PDPT_FOR_PHYS', 'pae', 'P'),
  PD64: tables(23, '64BIT_PD_FOR_64BIT_PD', 'pae', 'Y', 8),
  PD64_PHYS: tables(24, '64BIT_PD_FOR_PHYS', 'pae', 'P'),
  PML4: tables(25, '64BIT_PML4', 'pae', 'Y', 8),
  EPT_PDPT_PHYS: tables(26, 'EPT_PDPT_FOR_PHYS', 'ept', 'P'),
  EPT_PD_PHYS: tables(27, 'EPT_PD_FOR_PHYS', 'ept', 'P'),
  EPT_PT_PHYS: pages(28, 'EPT_PT_FOR_PHYS', 'ept', 'P'),
  /** Table in the host's own format: on 32-bit hosts with entries of 32 bits. */
  ROOT_NESTED: tables(29, 'ROOT_NESTED', 'pae'),
} as const satisfies Record<string, PoolKind>;

/** Kinds by number; 0 is invalid and 1 a free page of the pool. */
export const KIND_BY_NUMBER: readonly (PoolKind | undefined)[] = Array.from({ length: 30 }, (_, number) =>
  Object.values<PoolKind>(KINDS).find((kind) => kind.number === number),
);
export const FREE_KIND = 1;

/** Whether a pool page of kind `old` is freed because its guest page is now used as kind `wanted`. */
export function isReuse(old: PoolKind, wanted: PoolKind): boolean {
  if (old.family === 'X') return wanted.family === 'Y' || wanted.family === 'P';
  if (old.family !== 'Y') return false;
  const isRoot = wanted.number === KINDS.PD32.number || wanted.number === KINDS.PAE_PDPT.number;
  return wanted.family === 'P' || (wanted.family === 'X' && !isRoot);
}

function pages(
  number: number,
  name: string,
  format: EntryFormat,
  family: PoolKind['family'],
  entrySize?: 4 | 8,
  slots: SlotRule = 'same',
): PoolKind {
  return {
    number,
    name,
    format,
    holds: 'pages',
    family,
    guest: entrySize ? { entrySize, slots } : undefined,
  };
}

function tables(
  number: number,
  name: string,
  format: EntryFormat,
  family?: PoolKind['family'],
  entrySize?: 4 | 8,
  slots: SlotRule = 'same',
): PoolKind {
  return { ...pages(number, name, format, family, entrySize, slots), holds: 'tables' };
}
