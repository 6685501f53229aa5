import { FOUR_GIB, type GuestVirt, PAGE_SIZE, TWO_32 } from '../../../formats/sizes.ts';
import { A, D, P, RW, US } from '../schemes.ts';
import { MAPPING } from '../software-bits.ts';
import type { AllocateLow } from './hypervisor-pages.ts';
import { mappingError } from './mapping-errors.ts';

/** Pages of 4 MiB: one table with entries of 32 bits, two of PAE. */
const PAGES = 1024;
/** Flags of a directory entry for a mapping. */
const DIRECTORY_FLAGS = P | RW | US | A | MAPPING;
const PAGE_FLAGS = P | RW | A | D;

/** The page tables of 4 MiB of a mapping, in both formats; they map the same (paging.md 5.3). */
export class MappingTables {
  /** Frame of the host that holds the 32-bit table. */
  readonly narrowFrame: number;
  /** Frames of the host that hold the two PAE tables. */
  readonly wideFrames: readonly number[];
  readonly #narrow = new Uint32Array(PAGES);
  /** Entries of both tables, low and high halves in turn. */
  readonly #wide = new Uint32Array(2 * PAGES);

  /** @throws EnvironmentError VERR_NO_PAGE_MEMORY */
  constructor(allocate: AllocateLow) {
    const [narrow, ...wide] = [true, false, false].map((low) => {
      const frame = allocate(low);
      if (frame === undefined)
        throw mappingError('VERR_NO_PAGE_MEMORY', 'Cannot map the hypervisor: no page for a table');
      return frame;
    });
    this.narrowFrame = narrow;
    this.wideFrames = wide;
  }

  /** The entry of a directory of 32 bits. */
  get narrowEntry(): number {
    return (this.narrowFrame * PAGE_SIZE + DIRECTORY_FLAGS) >>> 0;
  }

  /** One of the two entries of a directory of PAE. */
  wideEntry(half: number): bigint {
    return BigInt(this.wideFrames[half] * PAGE_SIZE + DIRECTORY_FLAGS);
  }

  /** Maps a page to a host page. Entries of 32 bits reach none above 4 GiB. @param page 0 to 1023 */
  map(page: number, host: number): void {
    this.#narrow[page] = host < FOUR_GIB ? host + PAGE_FLAGS : 0;
    this.#wide[2 * page] = (host % TWO_32) + PAGE_FLAGS;
    this.#wide[2 * page + 1] = Math.floor(host / TWO_32);
  }

  unmap(page: number): void {
    this.#narrow[page] = 0;
    this.#wide.fill(0, 2 * page, 2 * page + 2);
  }

  /** The entry for a page in either format; 0 for none. */
  entry(page: number, wide: boolean): GuestVirt {
    if (!wide) return BigInt(this.#narrow[page]);
    return (BigInt(this.#wide[2 * page + 1]) << 32n) | BigInt(this.#wide[2 * page]);
  }
}
