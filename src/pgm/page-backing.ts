/** What pages are taken for: RAM and ROM; page tables that the host keeps; device memory. */
export type PageAccount = 'base' | 'shadow' | 'fixed';

/**
 * The host's memory as one machine sees it. A page is known by its id; its bytes are
 * `chunkBytes(id)` from `offsetInChunk(id)` on.
 */
export interface PageBacking {
  /** The whole chunk that holds a page; borrowed until the next call. */
  chunkBytes(id: number): Uint8Array;
  /**
   * A private page of zeros for the page at `gcPhys` (account base).
   * @throws EnvironmentError VERR_EM_NO_MEMORY
   */
  takePage(gcPhys: number): number;
  /** Fills `into` with ids of private pages of zeros. @throws EnvironmentError VERR_EM_NO_MEMORY, and then none is taken */
  allocatePages(account: PageAccount, into: Uint32Array): void;
  /** The first id of 512 neighbouring pages of zeros that fill a chunk; `NIL_PAGE_ID` where the host has no such chunk. */
  takeLargePage(gcPhys: number): number;
  /** Gives private pages back, or references to shared ones. */
  freePages(account: PageAccount, ids: Uint32Array): void;
  /** Changes by how many pages the machine may grow. */
  reserve(account: PageAccount, pages: number): void;
}
