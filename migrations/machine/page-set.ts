/** A set of pages, as bits. */
export class PageSet {
  readonly pageCount: number;
  readonly #words: Uint32Array;

  constructor(pageCount: number) {
    this.pageCount = pageCount;
    this.#words = new Uint32Array((pageCount + 31) >>> 5);
  }

  add(page: number): void {
    this.#words[page >>> 5] |= 1 << (page & 31);
  }

  delete(page: number): void {
    this.#words[page >>> 5] &= ~(1 << (page & 31));
  }

  has(page: number): boolean {
    return ((this.#words[page >>> 5] >>> (page & 31)) & 1) === 1;
  }

  addAll(): void {
    this.#words.fill(0xffff_ffff);
    const used = this.pageCount & 31;
    if (used > 0) this.#words[this.#words.length - 1] = 2 ** used - 1;
  }

  clear(): void {
    this.#words.fill(0);
  }

  union(other: PageSet): void {
    for (let i = 0; i < this.#words.length; i++) this.#words[i] |= other.#words[i];
  }

  get size(): number {
    let size = 0;
    for (let i = 0; i < this.#words.length; i++) size += onesOf(this.#words[i]);
    return size;
  }

  /** The first page of the set from `from` on; `pageCount` when there is none. */
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
