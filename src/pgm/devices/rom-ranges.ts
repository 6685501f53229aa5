import { hex } from '../../../formats/errors.ts';
import { type GuestPhys, PAGE_SIZE } from '../../../formats/sizes.ts';
import { NIL_PAGE_ID, offsetInChunk } from '../../gmm/page-id.ts';
import type { HandlerAnswer } from '../access/handler-list.ts';
import { checkStretch } from '../pages/check-stretch.ts';
import { PageState, PageType, RomProtection } from '../pages/page-states.ts';
import { pgmError } from '../pages/pgm-errors.ts';
import { RamRange } from '../pages/ram-range.ts';
import { DeviceRanges } from './device-ranges.ts';
import { findOverlaid } from './overlay.ts';
import { RomRange } from './rom-range.ts';

/** A ROM to register. */
export interface NewRom {
  /** Guest-physical address, page aligned. */
  start: GuestPhys;
  /** Bytes, whole pages. */
  size: number;
  /** Name for people. */
  description: string;
  /** Each page has a twin in RAM. */
  isShadowed?: boolean;
  /** Contents of the ROM; zeros follow a shorter image. */
  image?: Uint8Array;
}

/** The ROMs of a machine, in the order of their registration; none is ever removed. */
export class RomRanges extends DeviceRanges {
  readonly #roms: RomRange[] = [];

  /** ROMs in the order of their registration. */
  get all(): readonly RomRange[] {
    return this.#roms;
  }

  /** The ROM that holds an address. */
  find(gcPhys: GuestPhys): RomRange | undefined {
    return this.#roms.find((rom) => gcPhys >= rom.start && gcPhys < rom.end);
  }

  /** @throws UsageError VERR_INVALID_PARAMETER, VERR_PGM_RAM_CONFLICT */
  register({ start, size, description, isShadowed = false, image }: NewRom): RomRange {
    const what = `ROM ${description}`;
    checkStretch(`register ${what}`, start, size);
    if (image && image.length > size)
      throw pgmError(
        'VERR_INVALID_PARAMETER',
        `Cannot register ${what}: its image has ${image.length} bytes, more than ${size}`,
      );
    const pages = size / PAGE_SIZE;
    const overlaid = findOverlaid(this.ranges, what, start, size, [PageType.RAM]);
    if (overlaid) this.#checkZero(what, overlaid.range, overlaid.first, pages);
    const range = overlaid?.range ?? new RamRange(start, pages, 'rom', description);
    const rom = new RomRange(start, pages, description, isShadowed, range);
    this.pages.allocate('base', (overlaid ? 0 : pages) + (isShadowed ? pages : 0), rom.virginId);
    if (!overlaid) this.ranges.insert(range);
    this.#place(rom, overlaid !== undefined);
    if (image) this.#fill(rom, image);
    this.#roms.push(rom);
    this.handlers.register({
      kind: isShadowed ? 'all' : 'write',
      start,
      end: rom.end,
      description,
      callback: (access, gcPhys, bytes) => (access === 'read' ? 'default' : this.#takeWrite(rom, gcPhys, bytes)),
    });
    return rom;
  }

  /**
   * Sets the protection of the pages of shadowed ROMs within a stretch; other pages stay as they are.
   * @throws UsageError VERR_INVALID_PARAMETER
   */
  protect(start: GuestPhys, size: number, protection: number): void {
    if (!(protection >= RomProtection.READ_ROM_WRITE_IGNORE && protection <= RomProtection.READ_RAM_WRITE_RAM))
      throw pgmError(
        'VERR_INVALID_PARAMETER',
        `Cannot protect ROM at ${hex(start)}: protection is ${protection}, expected 1 to 4`,
      );
    if (size === 0) return;
    checkStretch('protect ROM', start, size);
    for (const rom of this.#roms) {
      if (!rom.isShadowed || rom.start >= start + size || rom.end <= start) continue;
      const first = Math.max(0, (start - rom.start) / PAGE_SIZE);
      const last = Math.min(rom.pages, (start + size - rom.start) / PAGE_SIZE) - 1;
      let flips = 0;
      for (let page = first; page <= last; page++) if (this.#protectPage(rom, page, protection)) flips++;
      if (flips > 0) this.handlers.reset(rom.start);
    }
  }

  /** The chunk with the ROM's own page, at `offsetInChunk(rom.virginId[page])`. @internal */
  virginChunk(rom: RomRange, page: number): Uint8Array {
    return this.pages.backing.chunkBytes(rom.virginId[page]);
  }

  /**
   * The chunk with the shadow of a page, at `offsetInChunk(rom.shadowId(page))`; the shadow gets memory if it has none.
   * @internal
   */
  shadowChunk(rom: RomRange, page: number): Uint8Array {
    if (rom.readsShadow(page)) return this.pages.writableChunk(rom.range, rom.firstPage + page);
    if (rom.passiveShadowId[page] === NIL_PAGE_ID) {
      rom.passiveShadowId[page] = this.pages.backing.takePage(rom.start + page * PAGE_SIZE);
      this.pages.counts.zero--;
      this.pages.counts.private++;
    }
    return this.pages.backing.chunkBytes(rom.passiveShadowId[page]);
  }

  /** Makes the shadow of a page zero, and frees its memory. @internal */
  dropShadow(rom: RomRange, page: number): void {
    if (rom.readsShadow(page)) {
      this.pages.apply('free', rom.range, rom.firstPage + page);
      this.pages.flush();
    } else if (rom.passiveShadowId[page] !== NIL_PAGE_ID) {
      this.pages.backing.freePages('base', rom.passiveShadowId.subarray(page, page + 1));
      rom.passiveShadowId[page] = NIL_PAGE_ID;
      this.pages.counts.zero++;
      this.pages.counts.private--;
    }
  }

  /**
   * Resets as at power-on: the guest reads the ROMs themselves, and shadows are zero. @param keepMemory all RAM was
   * allocated up front and stays allocated
   */
  reset(keepMemory: boolean): void {
    for (const rom of this.#roms) {
      if (!rom.isShadowed) continue;
      this.protect(rom.start, rom.pages * PAGE_SIZE, RomProtection.READ_ROM_WRITE_IGNORE);
      for (let page = 0; page < rom.pages; page++) {
        if (rom.shadowId(page) === NIL_PAGE_ID) continue;
        rom.writtenTo[page] = 1;
        if (!keepMemory) this.dropShadow(rom, page);
        else {
          const at = offsetInChunk(rom.shadowId(page));
          this.shadowChunk(rom, page).fill(0, at, at + PAGE_SIZE);
        }
      }
    }
  }

  #checkZero(what: string, range: RamRange, first: number, pages: number): void {
    for (let page = first; page < first + pages; page++) {
      if (range.state[page] === PageState.ZERO) continue;
      const gcPhys = range.addressOf(page);
      throw pgmError('VERR_PGM_RAM_CONFLICT', `Cannot register ${what}: the RAM at ${hex(gcPhys)} is in use`, {
        gcPhys,
      });
    }
  }

  #place(rom: RomRange, overRam: boolean): void {
    const { counts } = this.pages;
    const { range, firstPage, pages, virginId } = rom;
    for (let page = 0; page < pages; page++) {
      range.type[firstPage + page] = PageType.ROM;
      range.state[firstPage + page] = PageState.ALLOCATED;
      range.pageId[firstPage + page] = virginId[page];
      this.pages.changed(range, firstPage + page);
    }
    counts.private += pages;
    if (overRam) counts.zero -= pages;
    else counts.all += pages;
    if (!rom.isShadowed) return;
    counts.zero += pages;
    counts.all += pages;
  }

  #fill(rom: RomRange, image: Uint8Array): void {
    for (let at = 0; at < image.length; at += PAGE_SIZE) {
      const page = at / PAGE_SIZE;
      this.virginChunk(rom, page).set(image.subarray(at, at + PAGE_SIZE), offsetInChunk(rom.virginId[page]));
    }
  }

  #takeWrite(rom: RomRange, gcPhys: GuestPhys, bytes: Uint8Array): HandlerAnswer {
    const page = Math.floor((gcPhys - rom.start) / PAGE_SIZE);
    const protection = rom.protection[page];
    if (protection === RomProtection.READ_ROM_WRITE_IGNORE || protection === RomProtection.READ_RAM_WRITE_IGNORE)
      return 'done';
    rom.writtenTo[page] = 1;
    if (protection === RomProtection.READ_RAM_WRITE_RAM) return 'default';
    this.shadowChunk(rom, page).set(bytes, offsetInChunk(rom.shadowId(page)) + (gcPhys % PAGE_SIZE));
    return 'done';
  }

  /** @returns whether the guest now reads the other page of ROM and shadow */
  #protectPage(rom: RomRange, page: number, protection: number): boolean {
    const wasShadow = rom.readsShadow(page);
    const shadowId = rom.shadowId(page);
    if (rom.protection[page] !== protection) rom.writtenTo[page] = 1;
    rom.protection[page] = protection;
    const showsShadow = rom.readsShadow(page);
    if (showsShadow === wasShadow) return false;
    const { range } = rom;
    const at = rom.firstPage + page;
    range.type[at] = showsShadow ? PageType.ROM_SHADOW : PageType.ROM;
    range.pageId[at] = showsShadow ? shadowId : rom.virginId[page];
    range.state[at] = range.pageId[at] === NIL_PAGE_ID ? PageState.ZERO : PageState.ALLOCATED;
    rom.passiveShadowId[page] = showsShadow ? NIL_PAGE_ID : shadowId;
    this.pages.changed(range, at);
    return true;
  }
}
