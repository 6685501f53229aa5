import type { ByteSource } from '../../../formats/files/source.ts';
import { Spool } from '../../../formats/files/spool.ts';
import type { PgmBasic } from '../../../formats/pgm/head.ts';
import type { PageTypeNumbering } from '../../../formats/pgm/old-ranges.ts';
import { OldPgmWriter } from '../../../formats/pgm/old-writer.ts';
import { isMmio2, isRam, type PageBatch, PageKind } from '../../../formats/pgm/page-batch.ts';
import { ramLayout } from '../../../formats/pgm/ranges.ts';
import type { PgmVersion } from '../../../formats/pgm/versions.ts';
import { FOUR_GIB, PAGE_SIZE } from '../../../formats/sizes.ts';
import type { ContainerWriter } from '../../../formats/ssm/writing/container-writer.ts';
import { ImageSink } from '../extract/image-sink.ts';
import type { MachineLayout } from '../layout/machine-layout.ts';
import { NOWHERE, type Placement } from '../layout/placement.ts';
import type { PlaceOfPage } from '../layout/range-map.ts';
import type { SavedState } from '../reading/state.ts';
import { walkState } from '../reading/walk.ts';
import { type PageOrigin, planOldRanges } from './old-plan.ts';
import { type OldPages, type OldRangeToWrite, OldUnitWriter } from './old-unit.ts';

/** Parameters for writing a state in versions 6 to 9. */
export interface OldTarget {
  version: PgmVersion;
  numbering: PageTypeNumbering;
  layout: MachineLayout;
  ramSize: number;
  ramHole: number;
  /** Gives the place of the source's ROM and MMIO2 pages in the layout. */
  placeOf: PlaceOfPage;
}

/**
 * Writes the pgm unit of versions 6 to 9. They have all pages in the order of addresses, ROM among RAM, while newer
 * versions have them by range and pass. So the pages go through a temporary file, the spool.
 */
export async function writeOldPgm(
  source: ByteSource,
  state: SavedState,
  out: ContainerWriter,
  target: OldTarget,
): Promise<void> {
  const spool = new Spool();
  try {
    const places = new SpoolPlaces(target);
    const sink = new ImageSink(spool, places, Number.MAX_SAFE_INTEGER, 'skip');
    await walkState(source, { skipCrc: true, sink });
    await sink.flush();
    sink.release();
    const { version, numbering, layout, ramSize, ramHole } = target;
    const basic = { ...(state.pgm?.basic as PgmBasic), ramSize };
    const writer = new OldPgmWriter(out, version, state.header.widths, basic, numbering);
    const pages = new SpooledPages(places, spool, protectionByRom(state, target));
    const shadowed = shadowedRoms(state, target);
    const ranges = planOldRanges(
      layout,
      ramLayout(ramSize, ramHole),
      version,
      (index) => shadowed.has(index),
      numbering === '4.3',
    );
    await new OldUnitWriter(out, writer, version, numbering, pages).write(ranges);
  } finally {
    spool.close();
  }
}

/**
 * Place of each page in the spool: RAM without the hole, then the ROMs, their shadows, and the MMIO2 ranges of the
 * layout.
 */
class SpoolPlaces implements Placement {
  readonly #lowEnd: number;
  readonly #virgin: number[];
  readonly #shadow: number[];
  readonly #mmio2: number[];
  readonly #placeOf: PlaceOfPage;

  constructor({ layout, ramSize, ramHole, placeOf }: OldTarget) {
    this.#lowEnd = ramLayout(ramSize, ramHole).lowEnd;
    this.#placeOf = placeOf;
    let at = ramSize;
    const place = ({ size }: { size: number }) => {
      at += size;
      return at - size;
    };
    this.#virgin = layout.roms.map(place);
    this.#shadow = layout.roms.map(place);
    this.#mmio2 = layout.mmio2.map(place);
  }

  offsetOf(batch: PageBatch, i: number): number {
    const kind = batch.kind[i];
    if (isRam(kind)) return this.ram(batch.page[i] * PAGE_SIZE);
    if (kind === PageKind.ROM_PROTECTION) return NOWHERE;
    const place = this.#placeOf(kind, batch.id[i], batch.page[i]);
    if (!place) return NOWHERE;
    const starts = isMmio2(kind) ? this.#mmio2 : kind === PageKind.ROM_VIRGIN ? this.#virgin : this.#shadow;
    return starts[place.index] + place.page * PAGE_SIZE;
  }

  ram(address: number): number {
    return address < FOUR_GIB ? address : address - FOUR_GIB + this.#lowEnd;
  }
  virgin(index: number): number {
    return this.#virgin[index];
  }
  shadow(index: number): number {
    return this.#shadow[index];
  }
  mmio2(index: number): number {
    return this.#mmio2[index];
  }
}

/** Pages of the target's ranges, from the spool. */
class SpooledPages implements OldPages<PageOrigin> {
  readonly #places: SpoolPlaces;
  readonly #spool: Spool;
  /** Protection of each page, by index of the ROM in the layout. */
  readonly #protection: (Uint8Array | undefined)[];
  readonly #page = new Uint8Array(PAGE_SIZE);

  constructor(places: SpoolPlaces, spool: Spool, protection: (Uint8Array | undefined)[]) {
    this.#places = places;
    this.#spool = spool;
    this.#protection = protection;
  }

  contentOf(
    range: OldRangeToWrite<PageOrigin>,
    run: PageOrigin,
    i: number,
    part: 'ram' | 'mmio2' | 'rom' | 'rom-shadow',
  ): Uint8Array {
    this.#spool.read(this.#page, this.#offsetOf(range, run, i, part));
    return this.#page;
  }

  protectionOf(_range: OldRangeToWrite<PageOrigin>, { index = 0, firstPage = 0 }: PageOrigin, i: number): number {
    return this.#protection[index]?.[firstPage + i] || 1;
  }

  #offsetOf(
    { start }: OldRangeToWrite<PageOrigin>,
    { page, index = 0, firstPage = 0 }: PageOrigin,
    i: number,
    part: string,
  ): number {
    if (part === 'ram') return this.#places.ram(start + (page + i) * PAGE_SIZE);
    const starts =
      part === 'mmio2'
        ? this.#places.mmio2(index)
        : part === 'rom'
          ? this.#places.virgin(index)
          : this.#places.shadow(index);
    return starts + (firstPage + i) * PAGE_SIZE;
  }
}

/** Indices of the layout's ROMs that have shadow pages, by the records of the state. */
export function shadowedRoms(
  state: SavedState,
  { layout, placeOf }: Pick<OldTarget, 'layout' | 'placeOf'>,
): Set<number> {
  const shadowed = new Set<number>();
  for (const [id, pages] of state.pgm?.shadowPages ?? []) {
    for (const [page, has] of pages.entries()) {
      const place = has === 0 ? undefined : placeOf(PageKind.ROM_SHADOW_RAW, id, page);
      if (place && place.index < layout.roms.length) shadowed.add(place.index);
    }
  }
  return shadowed;
}

function protectionByRom(state: SavedState, { layout, placeOf }: OldTarget): (Uint8Array | undefined)[] {
  const byRom: (Uint8Array | undefined)[] = [];
  for (const [id, pages] of state.pgm?.romProtection ?? []) {
    for (const [page, protection] of pages.entries()) {
      const place = protection === 0 ? undefined : placeOf(PageKind.ROM_VIRGIN, id, page);
      if (!place) continue;
      byRom[place.index] ??= new Uint8Array(layout.roms[place.index].size / PAGE_SIZE);
      (byRom[place.index] as Uint8Array)[place.page] = protection;
    }
  }
  return byRom;
}
