import type { HostMode, PagingMode, ShadowMode } from '../modes.ts';
import { pagingTypeOf } from '../modes.ts';
import { KINDS, type PoolKind } from '../pool/kinds.ts';

/** Where a table's key comes from. */
export type KeyRule =
  /** The address in the guest's entry; for 32-bit tables under PAE the half of it. */
  | 'entry'
  | 'entry-half'
  /** CR3: the directory is a quarter of the guest's. */
  | 'cr3'
  /** The address itself, cut down to what the entry covers: there are no guest tables. */
  | 'identity';

/** One level of shadow tables: what its entries name. */
export interface ShadowLevel {
  /** An entry covers 2^shift bytes. */
  shift: number;
  indexMask: number;
  wide: boolean;
  /** Level of the guest's walk, from the root, whose entry stands behind; -1: none. */
  guest: number;
  /** What entries name: a table that shadows the guest's, or (last level) nothing: they map pages. */
  table?: PoolKind | readonly PoolKind[];
  /** … one that shadows a large page of the guest's. */
  big?: PoolKind;
  key: KeyRule;
  /** The entry has no rights, like legacy PAE's pointers. */
  bare: boolean;
}

/** How guests of one mode are shadowed in one shadow mode (paging.md 1.3). */
export interface ShadowPlan {
  root: PoolKind;
  /** The root is known by CR3; otherwise it is the same for all. */
  rootKey: 'cr3' | 'made-up';
  /** Each CPU has a root of its own: its entries are not in memory but latched. */
  ownRoot: boolean;
  levels: readonly ShadowLevel[];
  /** What is looked up in the shadow tables is not virtual, but guest-physical. */
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

/** By shadow type, then guest type; real and protected are one. Combinations that are missing are not valid. */
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
        // No kind of its own for 1 GiB pages, which VirtualBox does not shadow: an uncached directory of memory.
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
