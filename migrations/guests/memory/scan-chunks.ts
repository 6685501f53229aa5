import { returnBuffer, takeBuffer } from '../../../formats/kernels/arena.ts';
import { PAGE_SIZE } from '../../../formats/sizes.ts';
import { HashBatch, pageOffsets } from '../../machine/page-hashes.ts';
import { RamFiles, type RamPlace } from './ram-files.ts';

/** Pages read and hashed at a time: 256 KiB, which stay in the cache; a multiple of the bits of a word. */
export const CHUNK_PAGES = 64;
const SLOTS = pageOffsets(CHUNK_PAGES);

/** Work on pages: `find` those whose hash has changed, or `learn` all hashes. */
export type ScanWork = 'find' | 'learn';

/** One pass over all memory by several threads, which share the arrays. */
export interface ScanOrder {
  /** Number of the pass. */
  number: number;
  work: ScanWork;
  places: readonly RamPlace[];
  /** Hash of each page as pairs of words. `find` compares with them, `learn` sets them. */
  known: Uint32Array;
  /** A bit for each page; `find` sets the bits of changed pages. */
  found: Uint32Array;
  /** Number of the next chunk. */
  next: Int32Array;
}

/**
 * Takes chunks of memory and hashes them until none is left, or `goesOn` gives false.
 * @returns whether none is left
 */
export function scanChunks({ work, places, known, found, next }: ScanOrder, goesOn: () => boolean): boolean {
  const ram = new RamFiles(places);
  const bytes = takeBuffer(CHUNK_PAGES * PAGE_SIZE);
  const pages = new Uint32Array(CHUNK_PAGES);
  const held = new Uint8Array(CHUNK_PAGES);
  const batch = new HashBatch(CHUNK_PAGES);
  try {
    while (goesOn()) {
      const first = Atomics.add(next, 0, 1) * CHUNK_PAGES;
      if (first >= ram.pageCount) return true;
      const count = Math.min(CHUNK_PAGES, ram.pageCount - first);
      for (let i = 0; i < count; i++) pages[i] = first + i;
      ram.readPages(pages, count, bytes, 0, held);
      batch.hash(bytes, SLOTS, count);
      if (work === 'learn') known.set(batch.words.subarray(0, count * 2), first * 2);
      else markOthers(batch.words, known, first, count, found);
    }
    return false;
  } finally {
    returnBuffer(bytes);
  }
}

/** Marks changed pages. No other thread writes to these words of `found`. */
function markOthers(words: Uint32Array, known: Uint32Array, first: number, count: number, found: Uint32Array): void {
  for (let i = 0; i < count; i++) {
    const page = first + i;
    if (words[i * 2] !== known[page * 2] || words[i * 2 + 1] !== known[page * 2 + 1])
      found[page >>> 5] |= 1 << (page & 31);
  }
}
