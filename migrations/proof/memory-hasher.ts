import { returnBuffer, takeBuffer } from '../../formats/kernels/arena.ts';
import { PAGE_SIZE } from '../../formats/sizes.ts';
import { turn } from '../../formats/world/waiting.ts';
import type { PageAccess } from '../machine/machine.ts';
import { HashBatch, type PageHashes, pageOffsets } from '../machine/page-hashes.ts';
import type { PageSet } from '../machine/page-set.ts';

/** Pages hashed at a time: 256 KiB, which stay in the cache between copying and hashing. */
const BATCH = 64;
const SLOTS = pageOffsets(BATCH);
/** Pages after which other work gets its turn: about 3 ms. */
const YIELD_EVERY = 4096;

/** Hashes memory itself, whatever the dirty tracking says. */
export class MemoryHasher {
  readonly #machine: PageAccess;
  readonly #pages = new Uint32Array(BATCH);
  readonly #held = new Uint8Array(BATCH);
  readonly #batch = new HashBatch(BATCH + 1);

  constructor(machine: PageAccess) {
    this.#machine = machine;
  }

  /**
   * Hashes all pages.
   * @param take gets each page with its hash: hash `i` of `words`
   * @param pace yields to other work in between
   */
  hashAll(pageCount: number, take: (page: number, words: Uint32Array, i: number) => void, pace = true): Promise<void> {
    return this.hashRange(0, pageCount, take, pace);
  }

  /** Hashes pages `[first, last)` as `hashAll` does. */
  async hashRange(
    first: number,
    last: number,
    take: (page: number, words: Uint32Array, i: number) => void,
    pace = true,
  ): Promise<void> {
    const bytes = takeBuffer(BATCH * PAGE_SIZE);
    try {
      for (let page = first; page < last; ) {
        const end = Math.min(last, page + YIELD_EVERY);
        for (; page < end; page += BATCH) {
          const count = Math.min(BATCH, end - page);
          for (let i = 0; i < count; i++) this.#pages[i] = page + i;
          this.#hash(count, bytes, take);
        }
        if (pace && page < last) await turn();
      }
    } finally {
      returnBuffer(bytes);
    }
  }

  /** Replaces all `hashes` by those of memory. */
  async refresh(hashes: PageHashes): Promise<void> {
    if (this.#machine.hashMemory) return this.#machine.hashMemory(hashes);
    await this.hashAll(hashes.pageCount, (page, words, i) => hashes.set(page, words, i));
  }

  /** Replaces the hashes of some pages; without a pause for other work, so these should be few. */
  refreshSome(hashes: PageHashes, pages: PageSet): void {
    this.hashSome(pages, (page, words, i) => hashes.set(page, words, i));
  }

  /** Hashes some pages; without a pause for other work, so these should be few. @param take as of `hashAll` */
  hashSome(pages: PageSet, take: (page: number, words: Uint32Array, i: number) => void): void {
    const bytes = takeBuffer(BATCH * PAGE_SIZE);
    for (let page = pages.next(0); page < pages.pageCount; ) {
      let count = 0;
      for (; page < pages.pageCount && count < BATCH; page = pages.next(page + 1)) this.#pages[count++] = page;
      this.#hash(count, bytes, take);
    }
    returnBuffer(bytes);
  }

  /** Hashes the pages that are listed. */
  #hash(count: number, bytes: Uint8Array, take: (page: number, words: Uint32Array, i: number) => void): void {
    const held = this.#machine.readPages(this.#pages, count, bytes, 0, this.#held);
    this.#batch.hash(bytes, SLOTS, held);
    // The hash of a page of zeros follows the hashes of the batch.
    for (let i = 0, slot = 0; i < count; i++)
      take(this.#pages[i], this.#batch.words, this.#held[i] === 1 ? slot++ : BATCH);
  }
}
