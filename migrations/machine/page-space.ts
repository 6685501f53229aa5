import { hex } from '../../formats/errors.ts';
import { PAGE_SHIFT, PAGE_SIZE } from '../../formats/sizes.ts';
import { MAX_PAGES } from '../wire/limits.ts';
import { MigrationError } from '../wire/migration-error.ts';
import type { PageRegion } from './description.ts';

/** Numbers all pages of a machine: regions one after the other, in the order of the description. */
export class PageSpace {
  readonly regions: readonly PageRegion[];
  readonly pageCount: number;
  readonly #starts: number[];

  /** @throws MigrationError `too-much-memory` */
  constructor(regions: readonly PageRegion[], limit = MAX_PAGES) {
    this.regions = regions;
    this.#starts = [0];
    for (const { pages } of regions) this.#starts.push(this.#starts[this.#starts.length - 1] + pages);
    this.pageCount = this.#starts[regions.length];
    if (this.pageCount > limit)
      throw new MigrationError(
        'too-much-memory',
        `Cannot take machine: its memory has ${this.pageCount * PAGE_SIZE} bytes, expected at most ` +
          `${limit * PAGE_SIZE}`,
      );
  }

  /** Number of a region's first page. */
  startOf(region: number): number {
    return this.#starts[region];
  }

  /** The region that holds a page. */
  regionOf(page: number): number {
    let low = 0;
    let high = this.regions.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (this.#starts[middle] <= page) low = middle;
      else high = middle;
    }
    return low;
  }

  /** Name of a page for people: `RAM page at 0x1f000`, `VRam (mmio2) page 17`. */
  nameOf(page: number): string {
    const at = this.regionOf(page);
    const { kind, name, firstFrame } = this.regions[at];
    const inRegion = page - this.#starts[at];
    return kind === 'ram'
      ? `RAM page at ${hex((firstFrame + inRegion) * 2 ** PAGE_SHIFT)}`
      : `${name} (${kind}) page ${inRegion}`;
  }
}
