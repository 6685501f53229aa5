import { UnsupportedError } from '../../../formats/errors.ts';

/** Small, as each of many pages far apart takes a chunk. */
const CHUNK_PAGES = 256;
/** 2 KiB each for 1 MiB of guest memory: guests of up to 512 GiB. */
const MAX_CHUNKS = 524288;

/** Neighbouring pages that differ in the same way, `[start, end)`. */
export interface PageSpan {
  /** Number of the first page. */
  start: number;
  /** Exclusive. */
  end: number;
  /** From the first state to the second: `filled` pages were all zeros, `cleared` ones are now. */
  change: 'changed' | 'filled' | 'cleared';
}

/**
 * A 64-bit hash for each page that is not all zeros; 0 stands for zeros. Takes 2 MiB for each GiB of guest memory with
 * contents. Hot loops use the two 32-bit words of a hash, as a bigint is an object.
 */
export class SpanHashes {
  readonly #chunks = new Map<number, Uint32Array>();
  /** One bit for each page whose hash is that of `#like`. */
  readonly #same = new Map<number, Uint8Array>();
  readonly #like: SpanHashes | undefined;

  /**
   * @param like hashes that most of these are expected to equal; equal ones take a bit each. `like` must not change
   * afterwards.
   */
  constructor(like?: SpanHashes) {
    this.#like = like;
  }

  set(page: number, hash: bigint): void {
    ONE[0] = hash;
    this.setWords(page, ONE_WORDS[0], ONE_WORDS[1]);
  }

  setWords(page: number, first: number, second: number): void {
    const key = Math.floor(page / CHUNK_PAGES);
    if (this.#like && this.#noteSame(this.#like, key, page & (CHUNK_PAGES - 1), first, second)) return;
    let chunk = this.#chunks.get(key);
    if (!chunk) {
      if (first === 0 && second === 0) return;
      if (this.#chunks.size >= MAX_CHUNKS)
        throw new UnsupportedError(
          'too-much-memory',
          'Cannot track guest memory: pages are spread over more than 512 GiB',
        );
      chunk = new Uint32Array(2 * CHUNK_PAGES);
      this.#chunks.set(key, chunk);
    }
    const at = 2 * (page & (CHUNK_PAGES - 1));
    chunk[at] = first;
    chunk[at + 1] = second;
  }

  get(page: number): bigint {
    const chunk = this.#chunkOf(Math.floor(page / CHUNK_PAGES));
    return chunk ? hashesOf(chunk)[page & (CHUNK_PAGES - 1)] : 0n;
  }

  /** Whether a page has contents. */
  has(page: number): boolean {
    const chunk = this.#chunkOf(Math.floor(page / CHUNK_PAGES));
    return chunk !== undefined && !isZero(chunk, page & (CHUNK_PAGES - 1));
  }

  /** Runs of pages with contents, ascending; the hashes are borrowed. */
  *runs(): Generator<{ page: number; hashes: BigUint64Array }> {
    for (const key of this.#keys().sort((a, b) => a - b)) {
      const chunk = this.#chunkOf(key) ?? NO_PAGES;
      for (let start = 0, end = 0; start < CHUNK_PAGES; start = end + 1) {
        for (end = start; end < CHUNK_PAGES && !isZero(chunk, end); ) end++;
        if (end > start) yield { page: key * CHUNK_PAGES + start, hashes: hashesOf(chunk).subarray(start, end) };
      }
    }
  }

  /** Runs of pages whose hashes differ, ascending. */
  *differences(other: SpanHashes): Generator<PageSpan> {
    const keys = [...new Set([...this.#keys(), ...other.#keys()])].sort((a, b) => a - b);
    let run: PageSpan | undefined;
    for (const key of keys) {
      const own = this.#chunkOf(key) ?? NO_PAGES;
      const others = other.#chunkOf(key) ?? NO_PAGES;
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

  /** Notes and returns whether a page has the same hash in `like`. */
  #noteSame(like: SpanHashes, key: number, i: number, first: number, second: number): boolean {
    const chunk = like.#chunks.get(key);
    const isSame = chunk !== undefined && chunk[2 * i] === first && chunk[2 * i + 1] === second;
    let bits = this.#same.get(key);
    if (!bits) {
      if (!isSame) return false;
      bits = new Uint8Array(CHUNK_PAGES / 8);
      this.#same.set(key, bits);
    }
    if (isSame) bits[i >>> 3] |= 1 << (i & 7);
    else bits[i >>> 3] &= ~(1 << (i & 7));
    return isSame;
  }

  #keys(): number[] {
    return [...new Set([...this.#chunks.keys(), ...this.#same.keys()])];
  }

  /** The hashes of a chunk; hashes that are equal in `#like` are taken from there. */
  #chunkOf(key: number): Uint32Array | undefined {
    const own = this.#chunks.get(key);
    const bits = this.#same.get(key);
    const like = this.#like ? this.#like.#chunks.get(key) : undefined;
    if (!bits || !like) return own;
    const chunk = new Uint32Array(own ?? NO_PAGES);
    for (let i = 0; i < CHUNK_PAGES; i++) {
      if ((bits[i >>> 3] & (1 << (i & 7))) === 0) continue;
      chunk[2 * i] = like[2 * i];
      chunk[2 * i + 1] = like[2 * i + 1];
    }
    return chunk;
  }
}

const ONE = new BigUint64Array(1);
const ONE_WORDS = new Uint32Array(ONE.buffer);
const NO_PAGES = new Uint32Array(2 * CHUNK_PAGES);

function isZero(chunk: Uint32Array, i: number): boolean {
  return chunk[2 * i] === 0 && chunk[2 * i + 1] === 0;
}

function hashesOf(chunk: Uint32Array): BigUint64Array {
  return new BigUint64Array(chunk.buffer);
}
