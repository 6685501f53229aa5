/** A queue of pages in the order of a reading, each with its owner and hash; makes no object for a page. */
export class NoteQueue<Owner> {
  /** A ring. */
  #owners: Owner[] = [];
  #pages = new Float64Array(1024);
  #hashes = new BigUint64Array(1024);
  #first = 0;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  add(owner: Owner, page: number, hash: bigint): void {
    if (this.#length === this.#pages.length) this.#grow();
    const at = (this.#first + this.#length++) % this.#pages.length;
    this.#owners[at] = owner;
    this.#pages[at] = page;
    this.#hashes[at] = hash;
  }

  /** Whether this is the first entry. */
  startsWith(owner: Owner, page: number, hash: bigint): boolean {
    const at = this.#first;
    return this.#pages[at] === page && this.#owners[at] === owner && this.#hashes[at] === hash;
  }

  /** Owner of the first entry. */
  get owner(): Owner {
    return this.#owners[this.#first];
  }

  get page(): number {
    return this.#pages[this.#first];
  }

  get hash(): bigint {
    return this.#hashes[this.#first];
  }

  /** Removes the first entry. */
  drop(): void {
    this.#first = (this.#first + 1) % this.#pages.length;
    this.#length--;
  }

  #grow(): void {
    const { length } = this.#pages;
    const pages = new Float64Array(2 * length);
    const hashes = new BigUint64Array(2 * length);
    const owners: Owner[] = [];
    for (let i = 0; i < this.#length; i++) {
      const at = (this.#first + i) % length;
      owners[i] = this.#owners[at];
      pages[i] = this.#pages[at];
      hashes[i] = this.#hashes[at];
    }
    this.#owners = owners;
    this.#pages = pages;
    this.#hashes = hashes;
    this.#first = 0;
  }
}
