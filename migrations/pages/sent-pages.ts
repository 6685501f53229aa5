import { PAGE_SIZE } from '../../formats/sizes.ts';
import { PageHashes } from '../machine/page-hashes.ts';

/** Kept contents of pages that are sent again and again, for deltas: 64 MiB. */
const KEPT_PAGES = 16384;
const KEPT_CHUNK = 256;

/** The source's knowledge of the target's memory. */
export class SentPages {
  /** Hashes of the target's pages. */
  readonly hashes: PageHashes;
  /** Number of times that each page was sent, up to 255. */
  readonly times: Uint8Array;
  /** Pages (plus 1) by a part of their hash; the newest replaces others. */
  readonly #byHash: Uint32Array;
  readonly #mask: number;
  readonly #keptPage = new Uint32Array(KEPT_PAGES);
  readonly #kept: (Uint8Array | undefined)[] = [];

  constructor(pageCount: number) {
    this.hashes = new PageHashes(pageCount);
    this.times = new Uint8Array(pageCount);
    const slots = 2 ** Math.min(24, Math.max(8, 32 - Math.clz32(pageCount)));
    this.#byHash = new Uint32Array(slots);
    this.#mask = slots - 1;
  }

  /** Number of pages that are not zero at the target; each call counts anew, which takes 1 ms per GiB. */
  get contentPages(): number {
    let count = 0;
    for (let page = 0; page < this.hashes.pageCount; page++) if (!this.hashes.isZero(page)) count++;
    return count;
  }

  /** Notes that a page now has hash `i` of `words` at the target. */
  note(page: number, words: Uint32Array, i: number): void {
    this.hashes.set(page, words, i);
    if (this.times[page] < 255) this.times[page]++;
    this.#byHash[words[i * 2] & this.#mask] = page + 1;
  }

  /** A page with this hash at the target; −1 if none is known. */
  pageWith(words: Uint32Array, i: number): number {
    const page = this.#byHash[words[i * 2] & this.#mask] - 1;
    return page >= 0 && this.hashes.is(page, words, i) ? page : -1;
  }

  /** Bytes in which the page's content at the target starts at `keptAt(page)`; undefined if it was not kept. */
  keptContent(page: number): Uint8Array | undefined {
    const slot = page % KEPT_PAGES;
    return this.#keptPage[slot] === page + 1 ? this.#kept[Math.floor(slot / KEPT_CHUNK)] : undefined;
  }

  keptAt(page: number): number {
    return ((page % KEPT_PAGES) % KEPT_CHUNK) * PAGE_SIZE;
  }

  /** Keeps the content that a page has at the target from now on. */
  keep(page: number, bytes: Uint8Array, at: number): void {
    const slot = page % KEPT_PAGES;
    const chunk = Math.floor(slot / KEPT_CHUNK);
    const kept = this.#kept[chunk] ?? new Uint8Array(Math.min(KEPT_CHUNK, this.hashes.pageCount) * PAGE_SIZE);
    this.#kept[chunk] = kept;
    kept.set(bytes.subarray(at, at + PAGE_SIZE), this.keptAt(page));
    this.#keptPage[slot] = page + 1;
  }

  /** Forgets the kept content of a page that has changed at the target. */
  drop(page: number): void {
    const slot = page % KEPT_PAGES;
    if (this.#keptPage[slot] === page + 1) this.#keptPage[slot] = 0;
  }

  /** Forgets all but the hashes, which the target has just sent. */
  restart(): void {
    this.#byHash.fill(0);
    this.#keptPage.fill(0);
    for (let page = 0; page < this.hashes.pageCount; page++) {
      if (!this.hashes.isZero(page)) this.#byHash[this.hashes.words[page * 2] & this.#mask] = page + 1;
    }
  }
}
