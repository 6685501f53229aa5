/** Smaller indices are nil, or belonged to pages of special use in old releases. */
export const FIRST_INDEX = 5;
export const NIL_INDEX = 0;
/** Pages that the pool grows by at a time. */
const GROWTH = 64;

/** The pages of a pool by index: which are free, which are locked, which was used last. */
export class PoolPages {
  /** Pages from this index on have never been used. */
  end = FIRST_INDEX;
  readonly #size: number;
  readonly #free: number[] = [];
  readonly #locks: Uint8Array;
  readonly #usedAt: Float64Array;
  #clock = 0;

  /** @param size one more than the last index */
  constructor(size: number) {
    this.#size = size;
    this.#locks = new Uint8Array(size);
    this.#usedAt = new Float64Array(size);
  }

  /** A free page; `NIL_INDEX` where all are in use. */
  take(): number {
    if (this.#free.length === 0) this.#grow();
    return this.#free.pop() ?? NIL_INDEX;
  }

  giveBack(index: number): void {
    this.#free.push(index);
  }

  /** The page in use, and not locked, that was touched longest ago; `NIL_INDEX` where all are locked. */
  leastRecentlyUsed(): number {
    let oldest = NIL_INDEX;
    for (let index = FIRST_INDEX; index < this.end; index++) {
      if (!this.isLocked(index) && (oldest === NIL_INDEX || this.#usedAt[index] < this.#usedAt[oldest])) oldest = index;
    }
    return oldest;
  }

  touch(index: number): void {
    this.#usedAt[index] = ++this.#clock;
  }

  lock(index: number): void {
    this.#locks[index]++;
  }

  unlock(index: number): void {
    this.#locks[index]--;
  }

  isLocked(index: number): boolean {
    return this.#locks[index] > 0;
  }

  #grow(): void {
    const end = Math.min(this.end + GROWTH, this.#size);
    for (let index = end - 1; index >= this.end; index--) this.#free.push(index);
    this.end = end;
  }
}
