import { UnsupportedError } from '../../formats/errors.ts';

const CHUNK_SHIFT = 15;
const CHUNK_PAGES = 1 << CHUNK_SHIFT;
/** 256 KiB each for 128 MiB of guest memory: guests of up to 512 GiB. */
const MAX_CHUNKS = 4096;

/** Neighbouring pages that differ in the same way, `[start, end)`. */
export interface PageRun {
  start: number;
  end: number;
  /** From the first state to the second; `filled` and `cleared` pages were, or became, all zeros. */
  change: 'changed' | 'filled' | 'cleared';
}

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

  get(page: number): bigint {
    return this.#chunks.get(Math.floor(page / CHUNK_PAGES))?.[page & (CHUNK_PAGES - 1)] ?? 0n;
  }

  /** Runs of pages with contents, ascending; the hashes are borrowed. */
  *runs(): Generator<{ page: number; hashes: BigUint64Array }> {
    for (const key of [...this.#chunks.keys()].sort((a, b) => a - b)) {
      const chunk = this.#chunks.get(key) as BigUint64Array;
      for (let start = 0, end = 0; start < CHUNK_PAGES; start = end + 1) {
        if (chunk[start] === 0n) {
          end = start;
          continue;
        }
        for (end = start; end < CHUNK_PAGES && chunk[end] !== 0n; ) end++;
        yield { page: key * CHUNK_PAGES + start, hashes: chunk.subarray(start, end) };
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
        if (own[i] === others[i]) continue;
        const page = key * CHUNK_PAGES + i;
        const change = own[i] === 0n ? 'filled' : others[i] === 0n ? 'cleared' : 'changed';
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

const NO_PAGES = new BigUint64Array(CHUNK_PAGES);
