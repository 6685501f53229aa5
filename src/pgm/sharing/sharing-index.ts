import type { GuestMemory } from '../guest-memory.ts';
import type { RamRange } from '../pages/ram-range.ts';

/** A range of a machine whose pages may be shared; its pages are numbered from `firstNumber` on. */
export interface ScannedRange {
  readonly memory: GuestMemory;
  readonly range: RamRange;
  readonly firstNumber: number;
}

/**
 * Data of the search for equal pages, beside the machines' own page descriptors: consecutive numbers for the pages of
 * all ranges, the hash of each at the last look, and a table to find pages by hash. Takes 9 to 14 bytes a page during
 * the search.
 */
export class SharingIndex {
  readonly ranges: readonly ScannedRange[];
  readonly pages: number;
  /** 0 where no hash is known. */
  readonly hashes: Uint32Array;
  /** Numbers + 1 by hash, with open addressing; at most four fifths full. */
  readonly #table: Uint32Array;
  readonly #mask: number;

  /** @param old an earlier index, whose hashes are copied for ranges that still exist */
  constructor(memories: Iterable<GuestMemory>, old?: SharingIndex) {
    const ranges: ScannedRange[] = [];
    let pages = 0;
    for (const memory of memories) {
      for (const range of memory.ranges.all) {
        if (range.kind !== 'ram') continue;
        ranges.push({ memory, range, firstNumber: pages });
        pages += range.pages;
      }
    }
    this.ranges = ranges;
    this.pages = pages;
    this.hashes = new Uint32Array(pages);
    for (const { range, firstNumber } of ranges) {
      const before = old?.ranges.find((each) => each.range === range);
      if (old && before)
        this.hashes.set(old.hashes.subarray(before.firstNumber, before.firstNumber + range.pages), firstNumber);
    }
    const size = 2 ** Math.ceil(Math.log2(pages * 1.25 + 1));
    this.#table = new Uint32Array(size);
    this.#mask = size - 1;
  }

  /** Clears the table, but keeps the hashes. */
  clearTable(): void {
    this.#table.fill(0);
  }

  rangeOf(number: number): ScannedRange {
    let at = this.ranges.length - 1;
    while (this.ranges[at].firstNumber > number) at--;
    return this.ranges[at];
  }

  /**
   * Calls back for each page in the table with the hash of page `number`, until one is equal; adds the page itself if
   * none is.
   */
  findOrAdd(number: number, isEqual: (candidate: number) => boolean): void {
    const hash = this.hashes[number];
    let slot = Math.imul(hash, 0x9e3779b1) & this.#mask;
    for (let entry = this.#table[slot]; entry !== 0; entry = this.#table[slot]) {
      const candidate = entry - 1;
      if (this.hashes[candidate] === hash && isEqual(candidate)) return;
      slot = (slot + 1) & this.#mask;
    }
    this.#table[slot] = number + 1;
  }
}
