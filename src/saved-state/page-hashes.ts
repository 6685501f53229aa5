import { UnsupportedError } from '../../formats/errors.ts';

const CHUNK_SHIFT = 15;
const CHUNK_PAGES = 1 << CHUNK_SHIFT;
/** 256 KiB each for 128 MiB of guest memory: guests of up to 512 GiB. */
const MAX_CHUNKS = 4096;

/** A 64-bit hash for each page that is not all zeros; 0 stands for zeros. 2 MiB for each GiB of guest memory that has contents. */
export class PageHashes {
  readonly #chunks = new Map<number, BigUint64Array>();

  set(page: number, hash: bigint): void {
    const key = Math.floor(page / CHUNK_PAGES);
    let chunk = this.#chunks.get(key);
    if (!chunk) {
      if (hash === 0n) return;
      if (this.#chunks.size >= MAX_CHUNKS) throw new UnsupportedError('too-much-memory', 'Cannot track guest memory: pages are spread over more than 512 GiB');
      chunk = new BigUint64Array(CHUNK_PAGES);
      this.#chunks.set(key, chunk);
    }
    chunk[page & (CHUNK_PAGES - 1)] = hash;
  }

  /** Pages whose hashes differ, ascending, at most `limit`. */
  difference(other: PageHashes, limit: number): number[] {
    const pages: number[] = [];
    const keys = [...new Set([...this.#chunks.keys(), ...other.#chunks.keys()])].sort((a, b) => a - b);
    for (const key of keys) {
      const own = this.#chunks.get(key) ?? NO_PAGES;
      const others = other.#chunks.get(key) ?? NO_PAGES;
      for (let i = 0; i < CHUNK_PAGES && pages.length < limit; i++) if (own[i] !== others[i]) pages.push(key * CHUNK_PAGES + i);
    }
    return pages;
  }
}

const NO_PAGES = new BigUint64Array(CHUNK_PAGES);
