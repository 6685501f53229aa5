import { hex } from '../../formats/errors.ts';
import { PAGE_SHIFT, PAGE_SIZE } from '../../formats/sizes.ts';
import { MAX_DESCRIPTION, MAX_PAGES, MAX_REGIONS } from '../wire/limits.ts';
import { MigrationError } from '../wire/migration-error.ts';
import { bytes, flag, integer, list, oneOf, record, type ShapeValue, text } from '../wire/shape.ts';

/** Neighbouring pages of one kind. What is mapped nowhere has an id only. */
export const regionShape = record({
  kind: oneOf('ram', 'mmio2', 'rom', 'rom-shadow'),
  name: text(256),
  /** Number among the regions of its kind. */
  id: integer(0, 65535),
  /** Guest-physical page frame of the first page; 0 where it is mapped nowhere. */
  firstFrame: integer(0, 2 ** 40),
  pages: integer(1, MAX_PAGES),
});
/** Neighbouring pages of one kind. What is mapped nowhere has an id only. */
export type PageRegion = ShapeValue<typeof regionShape>;

/** What a machine is, without its contents: what both sides have to agree on before any page moves. */
export const descriptionShape = record({
  name: text(256),
  /** VirtualBox's version, as its state's header tells. */
  release: text(64),
  cpus: integer(1, 4096),
  /** Version of the memory unit. */
  pgmVersion: integer(1, 14),
  /** Names, instances and versions of the units that ride along. */
  units: list(record({ name: text(64), instance: integer(0, 0xffff_ffff), version: integer(0, 0xffff_ffff) }), 1024),
  regions: list(regionShape, MAX_REGIONS),
  /** It holds something that savkit can run; else it can only be kept. */
  executes: flag,
});
/** What a machine is, without its contents: what both sides have to agree on before any page moves. */
export type MachineDescription = ShapeValue<typeof descriptionShape>;

/** What frame `describe` says. */
export const describeShape = record({ description: descriptionShape, rest: bytes(MAX_DESCRIPTION) });

/** All pages of a machine under one number: regions one behind the other, in the order of the description. */
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
        `Cannot take machine: its memory has ${this.pageCount * PAGE_SIZE} bytes, expected at most ${limit * PAGE_SIZE}`,
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

  /** As people look for it: `RAM page at 0x1f000`, `VRam (mmio2) page 17`. */
  nameOf(page: number): string {
    const at = this.regionOf(page);
    const { kind, name, firstFrame } = this.regions[at];
    const inRegion = page - this.#starts[at];
    return kind === 'ram'
      ? `RAM page at ${hex((firstFrame + inRegion) * 2 ** PAGE_SHIFT)}`
      : `${name} (${kind}) page ${inRegion}`;
  }
}

/**
 * The first thing in which two descriptions differ, in words; undefined where the one machine can go on as the other.
 */
export function differenceOf(own: MachineDescription, other: MachineDescription): string | undefined {
  for (const key of ['release', 'cpus', 'pgmVersion'] as const)
    if (own[key] !== other[key]) return `${key} is ${other[key]}, expected ${own[key]}`;
  for (const key of ['regions', 'units'] as const) {
    if (own[key].length !== other[key].length) return `${other[key].length} ${key}, expected ${own[key].length}`;
    for (const [i, item] of own[key].entries()) {
      const found = other[key][i] as Record<string, unknown>;
      for (const [field, expected] of Object.entries(item)) {
        if (found[field] !== expected)
          return `${field} of ${SINGULAR[key]} ${i} is ${found[field]}, expected ${expected}`;
      }
    }
  }
  return undefined;
}

const SINGULAR = { regions: 'region', units: 'unit' } as const;
