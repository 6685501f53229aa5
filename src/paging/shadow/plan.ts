import { TWO_32 } from '../../../formats/sizes.ts';
import type { HostMode, PagingMode, ShadowMode } from '../modes.ts';
import { pagingTypeOf } from '../modes.ts';
import { KINDS, type PoolKind } from '../pool/kinds.ts';
import { indexIn } from '../walker.ts';

/** Source of a table's key. */
export type KeyRule =
  /** The address in the guest's entry; for 32-bit tables under PAE, the address of one half of the table. */
  | 'entry'
  | 'entry-half'
  /** CR3: the shadow directory covers a quarter of the guest's. */
  | 'cr3'
  /** The address, aligned to the span of the entry, where there are no guest tables. */
  | 'identity';

/** One level of shadow tables. */
export interface ShadowLevel {
  /** An entry covers 2^shift bytes. */
  shift: number;
  indexMask: number;
  wide: boolean;
  /** The level of the guest's walk, counted from the root, from whose entry the shadow entry is made; -1: none. */
  guest: number;
  /**
   * Kind of the tables that entries point to, which shadow the guest's; absent on the last level, whose entries map
   * pages.
   */
  table?: PoolKind | readonly PoolKind[];
  /** Kind of a table that splits a large page of the guest. */
  big?: PoolKind;
  key: KeyRule;
  /** The entry has no permission bits, like PAE's page-directory pointers. */
  bare: boolean;
}

/** Levels of shadow tables for a guest's mode and a shadow mode (paging.md 1.3). */
export interface ShadowPlan {
  root: PoolKind;
  /** Key of the root: CR3, or a fixed key, since one root serves all. */
  rootKey: 'cr3' | 'made-up';
  /** Each CPU has its own root, since the guest's root entries are latched registers, not memory. */
  ownRoot: boolean;
  levels: readonly ShadowLevel[];
  /** Shadow tables are indexed by guest-physical addresses. */
  nested: boolean;
  ept: boolean;
}

const K = KINDS;
const pd32 = (rest: Partial<ShadowLevel>): ShadowLevel => ({
  shift: 22,
  indexMask: 1023,
  wide: false,
  guest: -1,
  key: 'identity',
  bare: false,
  ...rest,
});
const pae = (shift: number, rest: Partial<ShadowLevel>): ShadowLevel => ({
  shift,
  indexMask: shift === 30 ? 3 : 511,
  wide: true,
  guest: -1,
  key: 'identity',
  bare: shift === 30,
  ...rest,
});
const long = (shift: number, rest: Partial<ShadowLevel>): ShadowLevel => ({
  ...pae(shift, rest),
  indexMask: 511,
  bare: false,
});
const PAGES32 = { ...pd32({ guest: 1 }), shift: 12 };
const plan = (root: PoolKind, levels: ShadowLevel[], more: Partial<ShadowPlan> = {}): ShadowPlan => ({
  root,
  rootKey: 'made-up',
  ownRoot: false,
  levels,
  nested: false,
  ept: false,
  ...more,
});
const byCr3 = { rootKey: 'cr3' } as const;
const QUARTERS = [K.PAE_PD0_FOR_PD32, K.PAE_PD1_FOR_PD32, K.PAE_PD2_FOR_PD32, K.PAE_PD3_FOR_PD32];

const PHYS32 = [pd32({ table: K.PT32_FOR_PHYS }), { ...PAGES32, guest: -1 }];
const PHYS_PAE = [pae(30, { table: K.PAE_PD_PHYS }), pae(21, { table: K.PAE_PT_FOR_PHYS }), pae(12, {})];
const PHYS_LONG = [
  long(39, { table: K.PDPT64_PHYS }),
  long(30, { table: K.PD64_PHYS }),
  long(21, { table: K.PAE_PT_FOR_PHYS }),
  long(12, {}),
];
// VirtualBox allocates EPT directories as kind 24.
const PHYS_EPT = [
  long(39, { table: K.EPT_PDPT_PHYS }),
  long(30, { table: K.PD64_PHYS }),
  long(21, { table: K.EPT_PT_PHYS }),
  long(12, {}),
];

/**
 * Plans by shadow type, then guest type; real and protected mode count as one type. Combinations that are missing are
 * not valid.
 */
const PLANS: Record<string, Record<string, ShadowPlan>> = {
  '32-bit': {
    physical: plan(K.PD32_PHYS, PHYS32),
    '32-bit': plan(
      K.PD32,
      [pd32({ guest: 0, table: K.PT32_FOR_PT32, big: K.PT32_FOR_4MB, key: 'entry' }), PAGES32],
      byCr3,
    ),
  },
  pae: {
    physical: plan(K.PAE_PDPT_PHYS, PHYS_PAE),
    '32-bit': plan(
      K.PAE_PDPT_FOR_PD32,
      [
        pae(30, { table: QUARTERS, key: 'cr3' }),
        pae(21, { guest: 0, table: K.PAE_PT_FOR_PT32, big: K.PAE_PT_FOR_4MB, key: 'entry-half' }),
        pae(12, { guest: 1 }),
      ],
      byCr3,
    ),
    pae: plan(
      K.PAE_PDPT,
      [
        pae(30, { guest: 0, table: K.PAE_PD, key: 'entry' }),
        pae(21, { guest: 1, table: K.PAE_PT_FOR_PAE_PT, big: K.PAE_PT_FOR_2MB, key: 'entry' }),
        pae(12, { guest: 2 }),
      ],
      { ...byCr3, ownRoot: true },
    ),
  },
  amd64: {
    amd64: plan(
      K.PML4,
      [
        long(39, { guest: 0, table: K.PDPT64, key: 'entry' }),
        // VirtualBox does not shadow 1 GiB pages, so no kind exists for them, and an uncached directory is used.
        long(30, { guest: 1, table: K.PD64, big: K.PD64_PHYS, key: 'entry' }),
        long(21, { guest: 2, table: K.PAE_PT_FOR_PAE_PT, big: K.PAE_PT_FOR_2MB, key: 'entry' }),
        long(12, { guest: 3 }),
      ],
      byCr3,
    ),
  },
};

const NESTED = { nested: true };
const NESTED_32 = plan(K.ROOT_NESTED, PHYS32, NESTED);
const NESTED_PAE = plan(K.ROOT_NESTED, PHYS_PAE, NESTED);
const NESTED_LONG = plan(K.ROOT_NESTED, PHYS_LONG, NESTED);
const EPT = plan(K.ROOT_NESTED, PHYS_EPT, { nested: true, ept: true });

/** The plan for a combination; undefined for one that is not valid. */
export function planFor(shadow: ShadowMode, guest: PagingMode, host: HostMode): ShadowPlan | undefined {
  if (shadow === 'ept') return EPT;
  const type = pagingTypeOf(guest);
  if (shadow === 'nested') {
    if (host.startsWith('AMD64') || type === 'amd64') return NESTED_LONG;
    return host.startsWith('PAE') ? NESTED_PAE : NESTED_32;
  }
  return PLANS[pagingTypeOf(shadow)]?.[type === 'real' || type === 'protected' ? 'physical' : type];
}

/** Index of the entry of a level that covers an address. */
export function slotOf(level: ShadowLevel, linear: number): number {
  return indexIn(level, Math.floor(linear / TWO_32), linear >>> 0);
}
