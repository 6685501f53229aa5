/** The index of a word whose list has overflowed. */
const OVERFLOW = 0x3fff;
const COUNT_SHIFT = 14;
const INDEX_MASK = 0x3fff;
/** `count` of a word: no table, one table (its pool index follows), a list of them (the first extent follows). */
const ONE = 1;
const LIST = 3;
const SLOTS = 3;
const NIL = 0xffff;

/** Change of a page's list of tables, by VirtualBox's names. */
export type TrackEvent =
  | 'Track/Virgin'
  | 'Track/Aliased'
  | 'Track/AliasedMany'
  | 'Track/AliasedLots'
  | 'Track/Overflows'
  | 'Track/NoExtentLeft';

/** Shadow tables that map a guest page: none, one, several, or `overflowed` if they are not known. */
export type Tables = readonly number[] | 'overflowed';

/**
 * Finds the shadow tables that map a guest page (PGMPOOL back-tracking): 16 bits for each mapped page, and, for pages
 * that several tables map, chained extents of three tables. A table that maps a page twice is listed twice.
 */
export class BackTracking {
  /** Words by page frame. */
  readonly #words = new Map<number, number>();
  readonly #tables: Uint16Array;
  readonly #next: Uint16Array;
  #free: number;

  /** @param extents at most 0x3fff, which is the overflow mark */
  constructor(extents: number) {
    this.#tables = new Uint16Array(extents * SLOTS).fill(NIL);
    this.#next = Uint16Array.from({ length: extents }, (_, i) => (i + 1 < extents ? i + 1 : NIL));
    this.#free = extents > 0 ? 0 : NIL;
  }

  /** Called with each change that `add` makes. */
  onAdd: ((event: TrackEvent) => void) | undefined;

  /** Notes that a table has got an entry for the page. */
  add(frame: number, table: number): void {
    const word = this.#words.get(frame);
    if (word === undefined) {
      this.#words.set(frame, (ONE << COUNT_SHIFT) | table);
      this.onAdd?.('Track/Virgin');
    } else if (word >>> COUNT_SHIFT === ONE) {
      this.#startList(frame, word & INDEX_MASK, table);
      this.onAdd?.('Track/Aliased');
    } else if ((word & INDEX_MASK) !== OVERFLOW) {
      this.#extendList(frame, word & INDEX_MASK, table);
      this.onAdd?.('Track/AliasedMany');
    } else this.onAdd?.('Track/AliasedLots');
  }

  /** Notes that a table has lost an entry for the page. Overflowed words stay so until `forget`. */
  remove(frame: number, table: number): void {
    const word = this.#words.get(frame);
    if (word === undefined || (word & INDEX_MASK) === OVERFLOW) return;
    if (word >>> COUNT_SHIFT === ONE) {
      this.#words.delete(frame);
      return;
    }
    const first = word & INDEX_MASK;
    for (let extent = first; extent !== NIL; extent = this.#next[extent]) {
      for (let i = extent * SLOTS; i < extent * SLOTS + SLOTS; i++) {
        if (this.#tables[i] !== table) continue;
        this.#tables[i] = NIL;
        if (this.#listOf(first).length === 0) this.#release(frame, first);
        return;
      }
    }
  }

  /** The tables that map a page. */
  tablesOf(frame: number): Tables {
    const word = this.#words.get(frame);
    if (word === undefined) return [];
    if ((word & INDEX_MASK) === OVERFLOW) return 'overflowed';
    return word >>> COUNT_SHIFT === ONE ? [word & INDEX_MASK] : this.#listOf(word & INDEX_MASK);
  }

  isTracked(frame: number): boolean {
    return this.#words.has(frame);
  }

  /** Forgets an overflowed page, which no table maps any more. */
  forget(frame: number): void {
    const word = this.#words.get(frame);
    if (word !== undefined && (word & INDEX_MASK) === OVERFLOW) this.#words.delete(frame);
  }

  /** Frames of all mapped pages. */
  frames(): Iterable<number> {
    return this.#words.keys();
  }

  #startList(frame: number, first: number, second: number): void {
    const extent = this.#take();
    if (extent !== NIL) {
      this.#tables[extent * SLOTS] = first;
      this.#tables[extent * SLOTS + 1] = second;
    }
    this.#words.set(frame, (LIST << COUNT_SHIFT) | (extent === NIL ? OVERFLOW : extent));
  }

  #extendList(frame: number, first: number, table: number): void {
    let last = first;
    for (let extent = first; extent !== NIL; extent = this.#next[extent]) {
      for (let i = extent * SLOTS; i < extent * SLOTS + SLOTS; i++) {
        if (this.#tables[i] !== NIL) continue;
        this.#tables[i] = table;
        return;
      }
      last = extent;
    }
    const extent = this.#take();
    if (extent === NIL) {
      this.#release(frame, first);
      this.#words.set(frame, (LIST << COUNT_SHIFT) | OVERFLOW);
      this.onAdd?.('Track/Overflows');
    } else {
      this.#next[last] = extent;
      this.#tables[extent * SLOTS] = table;
    }
  }

  #listOf(first: number): number[] {
    const found: number[] = [];
    for (let extent = first; extent !== NIL; extent = this.#next[extent]) {
      for (let i = extent * SLOTS; i < extent * SLOTS + SLOTS; i++)
        if (this.#tables[i] !== NIL) found.push(this.#tables[i]);
    }
    return found;
  }

  #take(): number {
    const extent = this.#free;
    if (extent === NIL) {
      this.onAdd?.('Track/NoExtentLeft');
      return NIL;
    }
    this.#free = this.#next[extent];
    this.#next[extent] = NIL;
    return extent;
  }

  #release(frame: number, first: number): void {
    this.#words.delete(frame);
    for (let extent = first; extent !== NIL; ) {
      const next = this.#next[extent];
      this.#tables.fill(NIL, extent * SLOTS, extent * SLOTS + SLOTS);
      this.#next[extent] = this.#free;
      this.#free = extent;
      extent = next;
    }
  }
}
