import { PAGE_SHIFT } from '../../formats/sizes.ts';

// A page ID names one page of host memory: chunk ID and index in the chunk (GMM_CHUNKID_SHIFT, GMM_PAGEID_IDX_MASK).

/** log2 of the pages in a chunk. */
export const CHUNK_ID_SHIFT = 9;
export const PAGES_PER_CHUNK = 1 << CHUNK_ID_SHIFT;
export const PAGE_INDEX_MASK = PAGES_PER_CHUNK - 1;
/** 2 MiB (GMM_CHUNK_SIZE), also the size of a large page. */
export const CHUNK_SIZE = PAGES_PER_CHUNK << PAGE_SHIFT;
/** No page: the zero page, MMIO, MMIO2 (NIL_GMM_PAGEID). */
export const NIL_PAGE_ID = 0;
/** GMM_PAGEID_LAST: 28 bits, 1 TiB of host memory. */
export const LAST_PAGE_ID = 0x0fff_ffff;
/** Chunk 0 is NIL. */
export const LAST_CHUNK_ID = LAST_PAGE_ID >>> CHUNK_ID_SHIFT;

/** Offset of a page in its chunk. */
export function offsetInChunk(pageId: number): number {
  return (pageId & PAGE_INDEX_MASK) << PAGE_SHIFT;
}
