import { UsageError } from '../../formats/errors.ts';
import { type GuestVirt, PAGE_SIZE } from '../../formats/sizes.ts';
import { Turns } from '../../formats/turns.ts';
import type { AddressSpace } from './address-space.ts';
import { mappingsOf, type VirtualAddresses, type VirtualRun } from './mappings-of.ts';

/** Limits of a search. */
export interface FindOptions {
  /** The search covers `[from, to)`; default everywhere. */
  from?: GuestVirt;
  /** Exclusive; the end of memory by default. */
  to?: GuestVirt;
  /** The search ends after this many hits; default 1000. */
  maxHits?: number;
  /** Bytes to look through; default 64 GiB: hostile tables show the same memory without end. */
  maxBytes?: number;
  /** As in `mappingsOf`. */
  maxRuns?: number;
}

/**
 * Maximum number of pages without memory that are passed over, 1 TiB: hostile tables map as much as addresses can name.
 */
const MAX_SKIPPED = 1 << 28;

/** Longest pattern: one page. */
const MAX_PATTERN = PAGE_SIZE;

/**
 * Finds a pattern in virtual memory, also across pages that are no neighbours in physical memory. Addresses without RAM
 * or ROM are skipped.
 * @throws InterruptedError; UsageError `bad-pattern` for an empty pattern, or one of more than `MAX_PATTERN` bytes
 */
export async function findBytes(
  space: AddressSpace,
  pattern: Uint8Array,
  options: FindOptions = {},
  signal?: AbortSignal,
): Promise<VirtualAddresses> {
  if (pattern.length === 0 || pattern.length > MAX_PATTERN) {
    throw new UsageError('bad-pattern', `Cannot search for ${pattern.length} bytes: expected 1 to ${MAX_PATTERN}`);
  }
  const { runs, complete } = await mappingsOf(space, { maxRuns: options.maxRuns }, signal);
  const search = new Search(space, pattern, options, Turns.rare(signal));
  for (const run of runs) if (!(await search.run(run))) return { addresses: search.hits, complete: false };
  return { addresses: search.hits, complete };
}

class Search {
  readonly hits: GuestVirt[] = [];
  readonly #space: AddressSpace;
  readonly #pattern: Uint8Array;
  readonly #from: bigint;
  readonly #to: bigint;
  readonly #maxHits: number;
  readonly #turns: Turns;
  #bytesLeft: number;
  #skippedLeft = MAX_SKIPPED;
  /** The last bytes of the preceding page, then a page. */
  readonly #window: Buffer;
  #carried = 0;
  /** The address after the carried bytes. */
  #next = -1n;

  constructor(
    space: AddressSpace,
    pattern: Uint8Array,
    { from = 0n, to = 1n << 64n, maxHits = 1000, maxBytes = 2 ** 36 }: FindOptions,
    turns: Turns,
  ) {
    this.#turns = turns;
    this.#space = space;
    this.#pattern = pattern;
    this.#from = from;
    this.#to = to;
    this.#maxHits = maxHits;
    this.#bytesLeft = maxBytes;
    this.#window = Buffer.alloc(pattern.length - 1 + PAGE_SIZE);
  }

  /** @returns false when a limit is reached */
  async run({ virtual, gcPhys, size }: VirtualRun): Promise<boolean> {
    if (virtual >= this.#to || virtual + BigInt(size) <= this.#from) return true;
    const first = this.#from > virtual ? Math.floor(Number(this.#from - virtual) / PAGE_SIZE) * PAGE_SIZE : 0;
    const end = this.#to < virtual + BigInt(size) ? Number(this.#to - virtual) : size;
    for (let at = first; at < end; at += PAGE_SIZE) {
      if (this.#turns.areDue) await this.#turns.give();
      if (!this.#space.memory.holdsTables(gcPhys + at)) {
        if (--this.#skippedLeft < 0) return false;
        continue;
      }
      this.#bytesLeft -= PAGE_SIZE;
      if (this.#bytesLeft < 0) return false;
      if (!this.#page(virtual + BigInt(at), gcPhys + at)) return false;
    }
    return true;
  }

  #page(virtual: bigint, gcPhys: number): boolean {
    if (virtual !== this.#next) this.#carried = 0;
    const end = this.#carried + PAGE_SIZE;
    this.#space.memory.read(gcPhys, this.#window.subarray(this.#carried, end));
    const window = this.#window.subarray(0, end);
    for (let at = window.indexOf(this.#pattern); at >= 0; at = window.indexOf(this.#pattern, at + 1)) {
      const address = virtual + BigInt(at - this.#carried);
      if (address < this.#from || address + BigInt(this.#pattern.length) > this.#to) continue;
      if (this.hits.length >= this.#maxHits) return false;
      this.hits.push(address);
    }
    this.#carried = this.#pattern.length - 1;
    this.#window.copyWithin(0, end - this.#carried, end);
    this.#next = virtual + BigInt(PAGE_SIZE);
    return true;
  }
}
