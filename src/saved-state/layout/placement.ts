import type { Extent } from '../../../formats/image/extents.ts';
import { isMmio2, isRam, type PageBatch, PageKind } from '../../../formats/pgm/page-batch.ts';
import { PAGE_SIZE } from '../../../formats/sizes.ts';
import type { MemoryRegion } from '../reading/memory-region.ts';
import type { StateMemory } from '../reading/state-view.ts';

/** Maps page records to offsets in an output file. */
export interface Placement {
  /**
   * File offset for record `i` of a batch; `NOWHERE` if it does not belong into the file. The first page may start
   * before the file.
   */
  offsetOf(batch: PageBatch, i: number): number;
}

export const NOWHERE = Number.NEGATIVE_INFINITY;

/**
 * A number for a page's place in an image, distinct for distinct pages, which are at least 4096 bytes apart; the first
 * may start before offset 0.
 */
export function slotOf(offset: number): number {
  return Math.floor(offset / PAGE_SIZE) + 1;
}

/** Finds the extent of an address among ascending ones. Tries the last found extent first. */
class ExtentIndex {
  readonly #extents: readonly Extent[];
  #last = 0;

  constructor(extents: readonly Extent[]) {
    this.#extents = extents;
  }

  offsetOf(address: number): number {
    const hint = this.#extents[this.#last];
    if (hint && address >= hint.start && address < hint.end) return hint.offset + address - hint.start;
    let low = 0;
    let high = this.#extents.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#extents[middle].end <= address) low = middle + 1;
      else high = middle;
    }
    const found = this.#extents[low];
    if (!found || address < found.start) return NOWHERE;
    this.#last = low;
    return found.offset + address - found.start;
  }
}

/** By guest-physical address: RAM only, as the page manager keeps it. */
export class RamPlacement implements Placement {
  readonly #index: ExtentIndex;

  constructor(extents: readonly Extent[]) {
    this.#index = new ExtentIndex(extents);
  }

  offsetOf(batch: PageBatch, i: number): number {
    return isRam(batch.kind[i]) ? this.#index.offsetOf(batch.page[i] * PAGE_SIZE) : NOWHERE;
  }
}

/**
 * By guest-physical address, as the guest sees it: ROM (or its shadow, by protection) and mapped MMIO2 in their places,
 * RAM elsewhere.
 */
export class GuestViewPlacement implements Placement {
  readonly #index: ExtentIndex;
  readonly #overlays: ExtentIndex;
  readonly #regions = new Map<string, MemoryRegion[]>();
  readonly #protection: ReadonlyMap<number, Uint8Array>;

  constructor(
    extents: readonly Extent[],
    regions: readonly MemoryRegion[],
    romProtection: StateMemory['romProtection'],
  ) {
    this.#index = new ExtentIndex(extents);
    const overlays = regions.filter(({ kind }) => kind === 'rom' || kind === 'mmio2');
    this.#overlays = new ExtentIndex(overlays.map(({ start, end }) => ({ start, end, offset: 0 })));
    for (const region of overlays) {
      const key = `${region.kind} ${region.id}`;
      this.#regions.set(key, [...(this.#regions.get(key) ?? []), region]);
    }
    this.#protection = romProtection;
  }

  offsetOf(batch: PageBatch, i: number): number {
    const kind = batch.kind[i];
    const page = batch.page[i];
    if (isRam(kind)) {
      const address = page * PAGE_SIZE;
      return this.#overlays.offsetOf(address) === NOWHERE ? this.#index.offsetOf(address) : NOWHERE;
    }
    const id = batch.id[i];
    if (isMmio2(kind)) return this.#inRegion('mmio2', id, page);
    return showsKind(this.#protection.get(id)?.[page] ?? 0, kind) ? this.#inRegion('rom', id, page) : NOWHERE;
  }

  #inRegion(kind: 'rom' | 'mmio2', id: number, page: number): number {
    for (const { start, end, firstPage = 0 } of this.#regions.get(`${kind} ${id}`) ?? []) {
      const address = start + (page - firstPage) * PAGE_SIZE;
      if (page >= firstPage && address < end) return this.#index.offsetOf(address);
    }
    return NOWHERE;
  }
}

export type RomView = 'virgin' | 'shadow' | 'seen';

/** One ROM from its first page on. */
export class RomPlacement implements Placement {
  readonly #region: MemoryRegion;
  readonly #view: RomView;
  readonly #protection: Uint8Array | undefined;

  constructor(region: MemoryRegion, view: RomView, romProtection: StateMemory['romProtection']) {
    this.#region = region;
    this.#view = view;
    this.#protection = romProtection.get(region.id ?? -1);
  }

  offsetOf(batch: PageBatch, i: number): number {
    const kind = batch.kind[i];
    if (kind < PageKind.ROM_VIRGIN || kind > PageKind.ROM_SHADOW_ZERO || batch.id[i] !== this.#region.id)
      return NOWHERE;
    const isVirgin = kind === PageKind.ROM_VIRGIN;
    const wanted =
      this.#view === 'seen'
        ? showsKind(this.#protection?.[batch.page[i]] ?? 0, kind)
        : isVirgin === (this.#view === 'virgin');
    return wanted ? offsetIn(this.#region, batch.page[i]) : NOWHERE;
  }
}

/** One MMIO2 range from its first page on, mapped or not. */
export class Mmio2Placement implements Placement {
  readonly #region: MemoryRegion;

  constructor(region: MemoryRegion) {
    this.#region = region;
  }

  offsetOf(batch: PageBatch, i: number): number {
    return isMmio2(batch.kind[i]) && batch.id[i] === this.#region.id ? offsetIn(this.#region, batch.page[i]) : NOWHERE;
  }
}

function offsetIn(region: MemoryRegion, page: number): number {
  const offset = (page - (region.firstPage ?? 0)) * PAGE_SIZE;
  return offset >= 0 && offset < region.end - region.start ? offset : NOWHERE;
}

/**
 * Whether the guest reads this record's content at a ROM page: protection 3 and 4 show the shadow page, all else the
 * virgin one.
 */
function showsKind(protection: number, kind: number): boolean {
  if (kind === PageKind.ROM_PROTECTION) return false;
  return protection >= 3 === (kind !== PageKind.ROM_VIRGIN);
}
