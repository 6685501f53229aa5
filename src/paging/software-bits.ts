// Bits of shadow entries that the processor leaves to software, see docs/spec/paging.md.

/** In tables: the page is clean, so the first write has to set the guest's dirty bit. */
export const PTE_TRACK_DIRTY = 1 << 9;
/** In directories: the entry belongs to a mapping of the hypervisor. */
export const MAPPING = 1 << 10;
/** In directories that map a large page: the page is clean, as above. */
export const PDE_TRACK_DIRTY = 1 << 11;
