import type { ByteSource } from '../../../formats/binary/source.ts';
import type { PgmBasic } from '../../../formats/pgm/head.ts';
import { CHUNK_PAGES, OldPageType, type PageTypeNumbering } from '../../../formats/pgm/old-ranges.ts';
import { OldPgmWriter } from '../../../formats/pgm/old-writer.ts';
import { isMmio2, isRam, type PageBatch, PageKind } from '../../../formats/pgm/page-batch.ts';
import { ramLayout } from '../../../formats/pgm/ranges.ts';
import type { PgmVersion } from '../../../formats/pgm/versions.ts';
import type { ContainerWriter } from '../../../formats/ssm/container-writer.ts';
import { FOUR_GIB, PAGE_SIZE } from '../../../formats/units.ts';
import { ImageSink } from '../image-sink.ts';
import { NOWHERE, type Placement } from '../placement.ts';
import type { SavedState } from '../state.ts';
import { walkState } from '../walk.ts';
import type { MachineLayout } from './machine-layout.ts';
import { type PageOrigin, type PlannedRange, planOldRanges } from './old-plan.ts';
import type { PagePlace } from './range-map.ts';
import { Spool } from './spool.ts';

/** How a state is put into versions 6 to 9. */
export interface OldTarget {
  version: PgmVersion;
  numbering: PageTypeNumbering;
  layout: MachineLayout;
  ramSize: number;
  ramHole: number;
  /** Where the source's ROM and MMIO2 pages are in the layout. */
  placeOf: PagePlace;
}

/**
 * Writes the pgm unit of versions 6 to 9. These want all pages in the order of their addresses, ROM among RAM; newer ones come range by range and pass
 * by pass. So the pages go to a temporary file first.
 */
export async function writeOldPgm(source: ByteSource, state: SavedState, out: ContainerWriter, target: OldTarget): Promise<void> {
  const spool = new Spool();
  try {
    const places = new SpoolPlaces(target);
    const sink = new ImageSink(spool, places, Number.MAX_SAFE_INTEGER, 'skip');
    await walkState(source, { skipCrc: true, sink });
    await sink.flush();
    sink.release();
    await new OldUnit(state, out, target, places, spool).write();
  } finally {
    spool.close();
  }
}

/** Where each page lies in the spool: RAM without the hole, then the ROMs, their shadows, and the MMIO2 ranges of the layout. */
class SpoolPlaces implements Placement {
  readonly #lowEnd: number;
  readonly #virgin: number[];
  readonly #shadow: number[];
  readonly #mmio2: number[];
  readonly #placeOf: PagePlace;

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

class OldUnit {
  readonly #state: SavedState;
  readonly #out: ContainerWriter;
  readonly #target: OldTarget;
  readonly #places: SpoolPlaces;
  readonly #spool: Spool;
  readonly #page = new Uint8Array(PAGE_SIZE);
  readonly #writer: OldPgmWriter;
  /** By index in the layout: protection of each page. */
  readonly #protection: (Uint8Array | undefined)[];

  constructor(state: SavedState, out: ContainerWriter, target: OldTarget, places: SpoolPlaces, spool: Spool) {
    this.#state = state;
    this.#out = out;
    this.#target = target;
    this.#places = places;
    this.#spool = spool;
    this.#writer = new OldPgmWriter(out, target.version, state.header.widths, { ...(state.pgm?.basic as PgmBasic), ramSize: target.ramSize }, target.numbering);
    this.#protection = protectionByRom(state, target);
  }

  async write(): Promise<void> {
    const { layout, ramSize, ramHole, version, numbering } = this.#target;
    const shadowed = shadowedRoms(this.#state, this.#target);
    for (const range of planOldRanges(layout, ramLayout(ramSize, ramHole), version, (index) => shadowed.has(index), numbering === '4.3')) {
      this.#writer.beginRange(range);
      if (version.pages === 'chunks') await this.#writeChunks(range);
      else await this.#writeTyped(range);
    }
    this.#writer.end(numbering === 'original');
    await this.#out.flush();
  }

  async #writeTyped(range: PlannedRange): Promise<void> {
    for (const origin of range.origins) {
      for (let i = 0; i < origin.count; i++) {
        this.#writeTypedPage(range, origin, i);
        if (this.#out.isFull) await this.#out.flush();
      }
    }
  }

  #writeTypedPage(range: PlannedRange, origin: PageOrigin, i: number): void {
    const { type, index = 0, firstPage = 0 } = origin;
    const page = firstPage + i;
    const protection = this.#protection[index]?.[page] || 1;
    this.#writer.putType(type, protection);
    if (type === OldPageType.RAM) {
      const content = this.#read(this.#places.ram(range.start + (origin.page + i) * PAGE_SIZE));
      // Erratum 6: today's loaders take a page in state zero only where the machine has not allocated all of its RAM up front.
      const asZero = this.#target.numbering === 'original' && isZero(content);
      this.#writer.putState(asZero ? undefined : content);
    } else if (type === OldPageType.MMIO2) {
      this.#writer.putState(this.#read(this.#places.mmio2(index) + page * PAGE_SIZE));
    } else if (type === OldPageType.ROM) {
      this.#writer.putState(this.#read(this.#places.virgin(index) + page * PAGE_SIZE));
    } else if (type === OldPageType.ROM_SHADOW) {
      // The page that the guest reads comes first.
      const starts = [this.#places.virgin(index), this.#places.shadow(index)];
      if (protection >= 3) starts.reverse();
      const count = this.#target.numbering === 'original' ? 2 : 1;
      for (const start of starts.slice(0, count)) this.#writer.putState(this.#read(start + page * PAGE_SIZE));
    } else {
      this.#writer.putState(undefined);
    }
  }

  async #writeChunks(range: PlannedRange): Promise<void> {
    const dynamic = !range.ownMemory && range.origins.some(({ type }) => type === OldPageType.RAM);
    for (const _ of this.#writer.putFlags(typesOf(range), dynamic)) if (this.#out.isFull) await this.#out.flush();
    if (!range.ownMemory && !dynamic) return;
    const offsets = this.#offsetsOf(range);
    for (let first = 0; first < range.pages; first += CHUNK_PAGES) {
      const pages = offsets.slice(first, first + CHUNK_PAGES);
      const present = range.ownMemory || pages.some((offset) => offset !== NOWHERE && !isZero(this.#read(offset)));
      if (!range.ownMemory) this.#writer.putPresence(present);
      for (const offset of present ? pages : []) {
        this.#writer.putContent(offset === NOWHERE ? ZERO_PAGE : this.#read(offset));
        if (this.#out.isFull) await this.#out.flush();
      }
    }
  }

  /** Spool offsets of all pages of a range; version 6 ranges have at most 2^20. Of a shadowed ROM page the one that the guest reads. */
  #offsetsOf(range: PlannedRange): number[] {
    return range.origins.flatMap(({ type, page, count, index = 0, firstPage = 0 }) =>
      Array.from({ length: count }, (_, i) => {
        if (type === OldPageType.RAM) return this.#places.ram(range.start + (page + i) * PAGE_SIZE);
        if (type === OldPageType.MMIO2) return this.#places.mmio2(index) + (firstPage + i) * PAGE_SIZE;
        if (type !== OldPageType.ROM) return NOWHERE;
        const showsShadow = (this.#protection[index]?.[firstPage + i] ?? 1) >= 3;
        return (showsShadow ? this.#places.shadow(index) : this.#places.virgin(index)) + (firstPage + i) * PAGE_SIZE;
      }),
    );
  }

  #read(offset: number): Uint8Array {
    this.#spool.read(this.#page, offset);
    return this.#page;
  }
}

function* typesOf(range: PlannedRange): Generator<number> {
  for (const { type, count } of range.origins) for (let i = 0; i < count; i++) yield type;
}

/** Indices of the layout's ROMs that have shadow pages: those with a protection that only these have, or whose shadow some record held. */
export function shadowedRoms(state: SavedState, { layout, placeOf }: Pick<OldTarget, 'layout' | 'placeOf'>): Set<number> {
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

const ZERO_PAGE = Buffer.alloc(PAGE_SIZE);

function isZero(page: Uint8Array): boolean {
  return page[0] === 0 && ZERO_PAGE.equals(page);
}
