import { hex } from '../../../formats/errors.ts';
import type { GuestPhys } from '../../../formats/sizes.ts';
import { pgmError } from './pgm-errors.ts';
import type { RamRange } from './ram-range.ts';

/** The ranges of a machine, in ascending order, without overlaps. */
export class RangeList {
  /** Raised at each change (`idRamRangesGen`), so that a walk through the ranges in several steps notices it. */
  generation = 0;
  #ranges: readonly RamRange[] = [];
  /** The range of the last `find`, which is tried first, as successive accesses are mostly near each other. */
  #hint: RamRange | undefined;

  /** All ranges, in ascending order. */
  get all(): readonly RamRange[] {
    return this.#ranges;
  }

  /** All ranges, in ascending order. */
  [Symbol.iterator](): Iterator<RamRange> {
    return this.#ranges[Symbol.iterator]();
  }

  /** The range that holds an address. */
  find(gcPhys: GuestPhys): RamRange | undefined {
    const hint = this.#hint;
    if (hint !== undefined && gcPhys >= hint.start && gcPhys < hint.end) return hint;
    const range = this.#ranges[this.#firstEndingAfter(gcPhys)];
    if (range === undefined || gcPhys < range.start) return undefined;
    this.#hint = range;
    return range;
  }

  /** @throws UsageError VERR_PGM_INVALID_GC_PHYSICAL_ADDRESS */
  get(gcPhys: GuestPhys): RamRange {
    const range = this.find(gcPhys);
    if (range) return range;
    throw pgmError('VERR_PGM_INVALID_GC_PHYSICAL_ADDRESS', `Cannot access ${hex(gcPhys)}: there is no memory`, {
      gcPhys,
    });
  }

  /** The first range that holds an address at or above `gcPhys`. */
  atOrAbove(gcPhys: GuestPhys): RamRange | undefined {
    return this.#ranges[this.#firstEndingAfter(gcPhys)];
  }

  /** The lowest range that shares an address with `[start, end)`. */
  firstOverlap(start: GuestPhys, end: GuestPhys): RamRange | undefined {
    const range = this.atOrAbove(start);
    return range !== undefined && range.start < end ? range : undefined;
  }

  /** @throws UsageError VERR_PGM_RAM_CONFLICT if another range is in the place of a new one @internal */
  expectFree({ description, start, end }: RamRange): void {
    const other = this.firstOverlap(start, end);
    if (other) throw rangeConflict(description, start, end, other);
  }

  /** @throws UsageError VERR_PGM_RAM_CONFLICT @internal */
  insert(range: RamRange): void {
    this.expectFree(range);
    const at = this.#firstEndingAfter(range.start);
    this.#change([...this.#ranges.slice(0, at), range, ...this.#ranges.slice(at)]);
  }

  /** @internal */
  remove(range: RamRange): void {
    this.#change(this.#ranges.filter((each) => each !== range));
  }

  #change(ranges: readonly RamRange[]): void {
    this.#ranges = ranges;
    this.#hint = undefined;
    this.generation = (this.generation + 1) >>> 0;
  }

  #firstEndingAfter(gcPhys: GuestPhys): number {
    let low = 0;
    let high = this.#ranges.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#ranges[middle].end <= gcPhys) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

export function rangeConflict(what: string, start: GuestPhys, end: GuestPhys, other: RamRange): Error {
  const there = `${other.description} is at ${hex(other.start)}–${hex(other.end - 1)}`;
  return pgmError('VERR_PGM_RAM_CONFLICT', `Cannot put ${what} at ${hex(start)}–${hex(end - 1)}: ${there}`, {
    gcPhys: start,
  });
}
