import type { PageAccess } from '../machine/machine.ts';
import type { PageHashes } from '../machine/page-hashes.ts';
import type { PageSet } from '../machine/page-set.ts';
import type { PageSpace } from '../machine/page-space.ts';
import { MemoryHasher } from '../proof/memory-hasher.ts';

/**
 * Finds what devices have written to their memory (MMIO2), which they do without passing a door: by comparing it with
 * what the target has. Checksums of what was seen last, as a live save keeps them, tell nothing of what was sent: a
 * page is named first and read later, and a device may write back meanwhile what was seen.
 */
export class DeviceMemory {
  readonly #hasher: MemoryHasher;
  /** Half-open ranges of page numbers. */
  readonly #ranges: { first: number; last: number }[];

  constructor(machine: PageAccess, space: PageSpace) {
    this.#hasher = new MemoryHasher(machine);
    this.#ranges = space.regions.flatMap(({ kind }, i) =>
      kind === 'mmio2' ? [{ first: space.startOf(i), last: space.startOf(i + 1) }] : [],
    );
  }

  /**
   * Adds each page that is not as the target has it.
   * @param known hashes of the pages as the target has them @param pace yields to others in between
   */
  async addChanged(known: PageHashes, into: PageSet, pace: boolean): Promise<void> {
    for (const { first, last } of this.#ranges)
      await this.#hasher.hashRange(
        first,
        last,
        (page, words, i) => {
          if (!known.is(page, words, i)) into.add(page);
        },
        pace,
      );
  }
}
