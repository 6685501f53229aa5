import type { PageAccess } from '../machine/machine.ts';
import type { PageHashes } from '../machine/page-hashes.ts';
import type { PageSet } from '../machine/page-set.ts';
import type { PageSpace } from '../machine/page-space.ts';
import { MemoryHasher } from '../proof/memory-hasher.ts';

/**
 * Finds writes of devices to their memory (MMIO2), which nothing tracks, by comparing it with the target's hashes.
 * Checksums of the last search, as a live save keeps them, are not enough: a page is noted first and read later, and a
 * device may restore the old content meanwhile.
 */
export class DeviceMemory {
  readonly #hasher: MemoryHasher;
  /** Ranges of page numbers. */
  readonly #ranges: { first: number; end: number }[];

  constructor(machine: PageAccess, space: PageSpace) {
    this.#hasher = new MemoryHasher(machine);
    this.#ranges = space.regions.flatMap(({ kind }, i) =>
      kind === 'mmio2' ? [{ first: space.startOf(i), end: space.startOf(i + 1) }] : [],
    );
  }

  /**
   * Adds each page that differs from the target's.
   * @param known hashes of the target's pages @param pace yields to other work in between
   */
  async addChanged(known: PageHashes, into: PageSet, pace: boolean): Promise<void> {
    for (const { first, end } of this.#ranges)
      await this.#hasher.hashRange(
        first,
        end,
        (page, words, i) => {
          if (!known.is(page, words, i)) into.add(page);
        },
        pace,
      );
  }
}
