import { type GuestPhys, PAGE_SIZE } from '../../../formats/sizes.ts';
import { PageState, PageType } from './page-states.ts';

/** Kind of a range. Ranges other than RAM are VirtualBox's ad-hoc ranges, which fill holes and are not saved as RAM. */
export type RangeKind = 'ram' | 'rom' | 'mmio' | 'mmio2';

/** Bits of `RamRange.flags`. */
export const PageFlag = {
  /** A monitored page was written. */
  WRITTEN_TO: 1,
  /** Two bits of `PdeType`. */
  PDE_SHIFT: 1,
  PDE_MASK: 0b110,
  /** The saved state holds this page; used where a state leaves RAM pages out. */
  TOLD: 8,
} as const;

/**
 * Bits of `RamRange.blocks`, which tell whether a walk over all pages has to look into a block. Most blocks of a large
 * machine have none most of the time.
 */
export const BlockMark = {
  /** A page may have changed since the user of the write monitor looked into the block. */
  CHANGED: 1,
  /** A page may be under write monitoring, or have its written-to mark. */
  MONITORED: 2,
} as const;

/** Pages of a block: 2 MiB. */
export const BLOCK_PAGES = 512;

/**
 * PGMRAMRANGE: a stretch of guest-physical memory and its page descriptors, in arrays by page: ten bytes a page, which
 * take memory of the host once they are written. Read them freely; only `GuestPages` and its neighbours write them.
 */
export class RamRange {
  /** Guest-physical address, page aligned. */
  readonly start: GuestPhys;
  /** Exclusive. */
  readonly end: GuestPhys;
  /** Pages of 4 KiB. */
  readonly pages: number;
  /** Kind of the range. */
  readonly kind: RangeKind;
  /** One line for people. */
  readonly description: string;
  /** `PageType` */
  readonly type: Uint8Array;
  /** `PageState` */
  readonly state: Uint8Array;
  /** Page of the host's memory; 0 where there is none. */
  readonly pageId: Uint32Array;
  /** `HandlerState` of the physical handlers. */
  readonly handler: Uint8Array;
  /** `PageFlag` */
  readonly flags: Uint8Array;
  /** Mappings for reading, by page. */
  readonly readLocks: Uint8Array;
  /** Mappings for writing, by page. */
  readonly writeLocks: Uint8Array;
  /** `BlockMark`, by block of `BLOCK_PAGES`. */
  readonly blocks: Uint8Array;

  /** @param start page aligned */
  constructor(start: GuestPhys, pages: number, kind: RangeKind, description: string) {
    this.start = start;
    this.end = start + pages * PAGE_SIZE;
    this.pages = pages;
    this.kind = kind;
    this.description = description;
    this.type = new Uint8Array(pages);
    if (kind !== 'ram') this.type.fill(PAGE_TYPE_OF[kind]);
    this.state = new Uint8Array(pages);
    this.pageId = new Uint32Array(pages);
    this.handler = new Uint8Array(pages);
    this.flags = new Uint8Array(pages);
    this.readLocks = new Uint8Array(pages);
    this.writeLocks = new Uint8Array(pages);
    this.blocks = new Uint8Array(Math.ceil(pages / BLOCK_PAGES));
  }

  /** Guest-physical address of a page. */
  addressOf(page: number): GuestPhys {
    return this.start + page * PAGE_SIZE;
  }

  /** Number of the page that holds an address of this range. */
  pageOf(gcPhys: GuestPhys): number {
    return Math.floor((gcPhys - this.start) / PAGE_SIZE);
  }

  /** Whether a page was written since it was monitored. */
  wasWritten(page: number): boolean {
    return (this.flags[page] & PageFlag.WRITTEN_TO) !== 0;
  }

  /** The first page from `page` on whose block has a mark; `pages` if there is none. */
  nextMarked(mark: number, page: number): number {
    for (let block = blockOf(page); block < this.blocks.length; block++)
      if (this.blocks[block] & mark) return Math.max(page, block * BLOCK_PAGES);
    return this.pages;
  }

  /** End of the block of a page, exclusive. */
  blockEnd(page: number): number {
    return Math.min((blockOf(page) + 1) * BLOCK_PAGES, this.pages);
  }

  /** Sets or clears a mark of the block of a page. @internal */
  mark(page: number, mark: number, isSet: boolean): void {
    if (isSet) this.blocks[blockOf(page)] |= mark;
    else this.blocks[blockOf(page)] &= ~mark;
  }

  /** Marks the block of a page whose state or type has changed. @internal */
  noteChange(page: number): void {
    // A page that has just been write-monitored has not changed.
    const isArmed = this.state[page] === PageState.WRITE_MONITORED;
    this.blocks[blockOf(page)] |= isArmed ? BlockMark.MONITORED : BlockMark.CHANGED;
  }

  /** `PdeType` */
  pdeType(page: number): number {
    return (this.flags[page] & PageFlag.PDE_MASK) >>> PageFlag.PDE_SHIFT;
  }

  /** @internal */
  setPdeType(page: number, type: number): void {
    this.flags[page] = (this.flags[page] & ~PageFlag.PDE_MASK) | (type << PageFlag.PDE_SHIFT);
  }
}

/** The number of the block that a page is in. */
export function blockOf(page: number): number {
  return Math.floor(page / BLOCK_PAGES);
}

const PAGE_TYPE_OF: Readonly<Record<Exclude<RangeKind, 'ram'>, number>> = {
  rom: PageType.ROM,
  mmio: PageType.MMIO,
  mmio2: PageType.MMIO2,
};
