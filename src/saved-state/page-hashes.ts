import { UnsupportedError } from '../../formats/errors.ts';

/** Small, as most ranges are: device memory. */
const CHUNK_PAGES = 4096;
/** 32 KiB each for 16 MiB of guest memory: guests of up to 512 GiB. */
const MAX_CHUNKS = 32768;

/** Neighbouring pages that differ in the same way, `[start, end)`. */
export interface PageRun {
  start: number;
  end: number;
  /** From the first state to the second; `filled` and `cleared` pages were, or became, all zeros. */
  change: 'changed' | 'filled' | 'cleared';
}

/**
 * A 64-bit hash for each page that is not all zeros; 0 stands for zeros. 2 MiB for each GiB of guest memory that has contents. What is done with every page is
 * done with the two words of a hash: a bigint is an object.
 */
export class PageHashes {
  readonly #chunks = new Map<number, Uint32Array>();

  set(page: number, hash: bigint): void {
    this.setWords(page, Number(hash & 0xffff_ffffn), Number(hash >> 32n));
  }

  setWords(page: number, low: number, high: number): void {
    const key = Math.floor(page / CHUNK_PAGES);
    let chunk = this.#chunks.get(key);
    if (!chunk) {
      if (low === 0 && high === 0) return;
      if (this.#chunks.size >= MAX_CHUNKS) throw new UnsupportedError('too-much-memory', 'Cannot track guest memory: pages are spread over more than 512 GiB');
      chunk = new Uint32Array(2 * CHUNK_PAGES);
      this.#chunks.set(key, chunk);
    }
    const at = 2 * (page & (CHUNK_PAGES - 1));
    chunk[at] = low;
    chunk[at + 1] = high;
  }

  get(page: number): bigint {
    const chunk = this.#chunks.get(Math.floor(page / CHUNK_PAGES));
    return chunk ? hashesOf(chunk)[page & (CHUNK_PAGES - 1)] : 0n;
  }

  /** Runs of pages with contents, ascending; the hashes are borrowed. */
  *runs(): Generator<{ page: number; hashes: BigUint64Array }> {
    for (const key of [...this.#chunks.keys()].sort((a, b) => a - b)) {
      const chunk = this.#chunks.get(key) as Uint32Array;
      for (let start = 0, end = 0; start < CHUNK_PAGES; start = end + 1) {
        for (end = start; end < CHUNK_PAGES && !isZero(chunk, end); ) end++;
        if (end > start) yield { page: key * CHUNK_PAGES + start, hashes: hashesOf(chunk).subarray(start, end) };
      }
    }
  }

  /** Runs of pages whose hashes differ, ascending. */
  *differences(other: PageHashes): Generator<PageRun> {
    const keys = [...new Set([...this.#chunks.keys(), ...other.#chunks.keys()])].sort((a, b) => a - b);
    let run: PageRun | undefined;
    for (const key of keys) {
      const own = this.#chunks.get(key) ?? NO_PAGES;
      const others = other.#chunks.get(key) ?? NO_PAGES;
      for (let i = 0; i < CHUNK_PAGES; i++) {
        if (own[2 * i] === others[2 * i] && own[2 * i + 1] === others[2 * i + 1]) continue;
        const page = key * CHUNK_PAGES + i;
        const change = isZero(own, i) ? 'filled' : isZero(others, i) ? 'cleared' : 'changed';
        if (run && run.end === page && run.change === change) run.end++;
        else {
          if (run) yield run;
          run = { start: page, end: page + 1, change };
        }
      }
    }
    if (run) yield run;
  }
}

const NO_PAGES = new Uint32Array(2 * CHUNK_PAGES);

function isZero(chunk: Uint32Array, i: number): boolean {
  return chunk[2 * i] === 0 && chunk[2 * i + 1] === 0;
}

function hashesOf(chunk: Uint32Array): BigUint64Array {
  return new BigUint64Array(chunk.buffer);
}
