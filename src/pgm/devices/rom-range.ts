import { type GuestPhys, PAGE_SIZE } from '../../../formats/sizes.ts';
import { RomProtection } from '../pages/page-states.ts';
import type { RamRange } from '../pages/ram-range.ts';

/**
 * PGMROMRANGE: a ROM. Each page of a shadowed ROM has a twin in RAM, and a protection, which decides which of the two
 * is read, and which one written. The RAM range holds the page that is read, this range the other one.
 */
export class RomRange {
  /** Guest-physical address of the first byte. */
  readonly start: GuestPhys;
  /** Pages of 4 KiB. */
  readonly pages: number;
  /** For people. */
  readonly description: string;
  /** Each page has a twin in RAM. */
  readonly isShadowed: boolean;
  /** The RAM range that the ROM lies in. */
  readonly range: RamRange;
  /** Number of its first page in `range`. */
  readonly firstPage: number;
  /** Page ids of the ROM's own content. */
  readonly virginId: Uint32Array;
  /** Page ids of the shadow, for pages of which the guest reads the ROM's own content; 0 is a page of zeros. */
  readonly passiveShadowId: Uint32Array;
  /** `RomProtection` */
  readonly protection: Uint8Array;
  /** 1 for pages of a shadowed ROM whose shadow or protection has changed; a save of the ROM clears it. */
  readonly writtenTo: Uint8Array;

  constructor(start: GuestPhys, pages: number, description: string, isShadowed: boolean, range: RamRange) {
    this.start = start;
    this.pages = pages;
    this.description = description;
    this.isShadowed = isShadowed;
    this.range = range;
    this.firstPage = range.pageOf(start);
    this.virginId = new Uint32Array(pages);
    this.passiveShadowId = new Uint32Array(pages);
    this.protection = new Uint8Array(pages).fill(RomProtection.READ_ROM_WRITE_IGNORE);
    this.writtenTo = new Uint8Array(pages);
  }

  /** Exclusive. */
  get end(): GuestPhys {
    return this.start + this.pages * PAGE_SIZE;
  }

  /** Whether the guest reads the shadow of a page. */
  readsShadow(page: number): boolean {
    return this.protection[page] >= RomProtection.READ_RAM_WRITE_IGNORE;
  }

  /** Page id of the shadow; 0 is a page of zeros. */
  shadowId(page: number): number {
    return this.readsShadow(page) ? this.range.pageId[this.firstPage + page] : this.passiveShadowId[page];
  }
}
