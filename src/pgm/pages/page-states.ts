// Small integers in the typed arrays of RAM ranges. ROM protections are part of saved states, too. An untouched page
// has zeros in all arrays: as the system backs arrays with memory only where they are written, a range costs only what
// its used pages need.

/** PGMPAGETYPE: type of a page; VirtualBox's numbers differ. */
export const PageType = { RAM: 0, MMIO2: 1, MMIO2_ALIAS_MMIO: 2, ROM_SHADOW: 3, ROM: 4, MMIO: 5, INVALID: 6 } as const;
/** Names by `PageType`. */
export const PAGE_TYPE_NAMES = ['ram', 'mmio2', 'mmio2-alias-mmio', 'rom-shadow', 'rom', 'mmio', 'invalid'] as const;

/** PGM_PAGE_STATE_*: backing of a page. */
export const PageState = { ZERO: 0, ALLOCATED: 1, WRITE_MONITORED: 2, SHARED: 3, BALLOONED: 4 } as const;
/** Names by `PageState`. */
export const PAGE_STATE_NAMES = ['zero', 'allocated', 'write-monitored', 'shared', 'ballooned'] as const;
export type PageStateName = (typeof PAGE_STATE_NAMES)[number];

/**
 * PGM_PAGE_HNDL_PHYS_STATE_*: accesses that the physical handlers of a page intercept. From `WRITE` on they are active.
 */
export const HandlerState = { NONE: 0, DISABLED: 1, WRITE: 2, ALL: 3 } as const;

/** PGM_PAGE_PDE_TYPE_*: how a page may be mapped. */
export const PdeType = { DONT_CARE: 0, PAGE_TABLE: 1, LARGE: 2, LARGE_DISABLED: 3 } as const;

/** PGMROMPROT: source of the guest's reads at a shadowed ROM, and target of its writes. */
export const RomProtection = {
  READ_ROM_WRITE_IGNORE: 1,
  READ_ROM_WRITE_RAM: 2,
  READ_RAM_WRITE_IGNORE: 3,
  READ_RAM_WRITE_RAM: 4,
} as const;
