import { setImmediate } from 'node:timers/promises';
import { PAGE_SIZE } from '../../formats/units.ts';
import type { PageAccess } from '../machine.ts';
import { HashBatch, type PageHashes } from '../pages/page-hashes.ts';

const BATCH = 256;
/** Pages after which others get their turn: about 3 ms. */
const YIELD_EVERY = 4096;

/** Hashes memory as it is, page by page, not what is believed of it. */
export class MemoryHasher {
  readonly #machine: PageAccess;
  readonly #bytes = new Uint8Array(BATCH * PAGE_SIZE);
  readonly #at = new Uint32Array(BATCH);
  readonly #pages = new Uint32Array(BATCH);
  readonly #batch = new HashBatch(BATCH);

  constructor(machine: PageAccess) {
    this.#machine = machine;
    for (let i = 0; i < BATCH; i++) this.#at[i] = i * PAGE_SIZE;
  }

  /**
   * Hashes all pages.
   * @param take gets each page with its hash: hash `i` of `words`
   * @param pace yields to others in between
   */
  async hashAll(pageCount: number, take: (page: number, words: Uint32Array, i: number) => void, pace = true): Promise<void> {
    for (let page = 0, since = 0; page < pageCount; ) {
      let count = 0;
      for (; page < pageCount && count < BATCH; page++) {
        if (!this.#machine.readPage(page, this.#bytes, count * PAGE_SIZE)) take(page, ZERO, 0);
        else this.#pages[count++] = page;
      }
      this.#batch.hash(this.#bytes, this.#at, count);
      for (let i = 0; i < count; i++) take(this.#pages[i], this.#batch.words, i);
      since += count;
      if (pace && since >= YIELD_EVERY) {
        since = 0;
        await setImmediate();
      }
    }
  }

  /** Makes `hashes` those of memory. */
  async refresh(hashes: PageHashes): Promise<void> {
    await this.hashAll(hashes.pageCount, (page, words, i) => hashes.set(page, words, i));
  }
}

const ZERO = new Uint32Array(2);
