/** A set of pages, as bits. */
export class PageSet {
  /** Number of pages of the machine. */
  readonly pageCount: number;
  readonly #words: Uint32Array;

  /** Empty at first. @param pageCount number of pages, which are numbered from 0 */
  constructor(pageCount: number, words: Uint32Array = new Uint32Array((pageCount + 31) >>> 5)) {
    this.pageCount = pageCount;
    this.#words = words;
  }

  /** A set to which other threads can add pages, in its `words`. @internal */
  static shared(pageCount: number): PageSet {
    return new PageSet(pageCount, new Uint32Array(new SharedArrayBuffer(((pageCount + 31) >>> 5) * 4)));
  }

  /** A bit for each page. @internal */
  get words(): Uint32Array {
    return this.#words;
  }

  /** Adds a page, if it is not in the set. */
  add(page: number): void {
    this.#words[page >>> 5] |= 1 << (page & 31);
  }

  /** Removes a page, if it is in the set. */
  delete(page: number): void {
    this.#words[page >>> 5] &= ~(1 << (page & 31));
  }

  /** Whether a page is in the set. */
  has(page: number): boolean {
    return ((this.#words[page >>> 5] >>> (page & 31)) & 1) === 1;
  }

  /** Adds all pages. */
  addAll(): void {
    this.#words.fill(0xffff_ffff);
    const used = this.pageCount & 31;
    if (used > 0) this.#words[this.#words.length - 1] = 2 ** used - 1;
  }

  /** Makes the set empty. */
  clear(): void {
    this.#words.fill(0);
  }

  /** Adds all pages of another set of the same machine. */
  union(other: PageSet): void {
    for (let i = 0; i < this.#words.length; i++) this.#words[i] |= other.#words[i];
  }

  /** Number of pages in the set. */
  get size(): number {
    let size = 0;
    for (let i = 0; i < this.#words.length; i++) size += onesOf(this.#words[i]);
    return size;
  }

  /** The first page of the set from `from` on; `pageCount` if there is none. */
  next(from: number): number {
    let at = from >>> 5;
    if (from >= this.pageCount) return this.pageCount;
    let word = this.#words[at] & (-1 << (from & 31));
    while (word === 0) {
      if (++at >= this.#words.length) return this.pageCount;
      word = this.#words[at];
    }
    return at * 32 + (31 - Math.clz32(word & -word));
  }
}

function onesOf(word: number): number {
  let bits = word - ((word >>> 1) & 0x5555_5555);
  bits = (bits & 0x3333_3333) + ((bits >>> 2) & 0x3333_3333);
  return Math.imul((bits + (bits >>> 4)) & 0x0f0f_0f0f, 0x0101_0101) >>> 24;
}
