import type { Pass } from '../../formats/errors.ts';
import { PageKind } from '../../formats/pgm/page-batch.ts';
import type { LiveCounts } from './live-counters.ts';
import type { PageTaker } from './page-taker.ts';
import { isZeroPage } from './zero-page.ts';

/** A ROM, and the RAM in its shadow where it has some. */
export interface RomPages {
  /** Id in the list of ROMs of the state. */
  readonly id: number;
  readonly pages: number;
  readonly shadowed: boolean;
  /** `RomProtection` by page. */
  readonly protection: Uint8Array;
  /** Nonzero where the shadow or the protection was written since this was last cleared. */
  readonly writtenTo: Uint8Array;
  /** Id of the host's page that holds the ROM's page, and its shadow's; 0 where that is zero. */
  virginBytes(page: number): { bytes: Uint8Array; at: number };
  shadowBytes(page: number): { bytes: Uint8Array; at: number } | undefined;
}

interface Tracked {
  rom: RomPages;
  /** The ROM's page itself is still to be sent. */
  virginDirty: Uint8Array;
  dirty: Uint8Array;
  dirtiedRecently: Uint8Array;
  /** Protection that the other side knows. */
  protection: Uint8Array;
}

/** Tracking of ROMs (live-save.md 4.4): their content goes once; shadows are marked by who writes them. */
export class RomTracker {
  readonly #counts: LiveCounts;
  readonly #tracked: Tracked[];

  constructor(roms: readonly RomPages[], counts: LiveCounts) {
    this.#counts = counts;
    this.#tracked = roms.map((rom) => ({
      rom,
      virginDirty: new Uint8Array(rom.pages).fill(1),
      dirty: new Uint8Array(rom.pages).fill(1),
      dirtiedRecently: new Uint8Array(rom.pages).fill(1),
      protection: new Uint8Array(rom.pages),
    }));
    for (const { pages, shadowed } of roms) counts.rom.dirty += shadowed ? 2 * pages : pages;
  }

  scan(): void {
    for (const tracked of this.#tracked) {
      const { rom, dirtiedRecently } = tracked;
      if (!rom.shadowed) continue;
      for (let page = 0; page < rom.pages; page++) {
        const written = rom.writtenTo[page] !== 0;
        dirtiedRecently[page] = written ? 1 : 0;
        if (!written) continue;
        rom.writtenTo[page] = 0;
        this.#becomeDirty(tracked.dirty, page);
      }
    }
  }

  /** The ROMs themselves: in pass 0 all of their pages, later those that were put back. */
  async takeVirgin(taker: PageTaker): Promise<void> {
    for (const { rom, virginDirty, protection } of this.#tracked) {
      for (let page = 0; page < rom.pages; page++) {
        if (!virginDirty[page]) continue;
        virginDirty[page] = 0;
        protection[page] = rom.protection[page];
        const { bytes, at } = rom.virginBytes(page);
        taker.add(PageKind.ROM_VIRGIN, page, rom.id, protection[page], bytes, at);
        this.#noteTaken();
        if (taker.isFull) await taker.hand();
      }
    }
  }

  async takeShadows(pass: Pass, taker: PageTaker): Promise<void> {
    for (const tracked of this.#tracked) {
      const { rom, dirty, dirtiedRecently, protection } = tracked;
      if (!rom.shadowed) continue;
      for (let page = 0; page < rom.pages; page++) {
        const quiet = pass === 'final' || (!dirtiedRecently[page] && !rom.writtenTo[page]);
        if (dirty[page] && quiet) this.#takeShadow(tracked, page, taker);
        else if (pass === 'final' && protection[page] !== rom.protection[page]) {
          protection[page] = rom.protection[page];
          taker.add(PageKind.ROM_PROTECTION, page, rom.id, protection[page]);
        }
        if (taker.isFull) await taker.hand();
      }
    }
  }

  putBack(kind: number, id: number, page: number): void {
    const tracked = this.#tracked.find(({ rom }) => rom.id === id);
    if (!tracked) return;
    if (kind === PageKind.ROM_PROTECTION) tracked.protection[page] = 0;
    else this.#becomeDirty(kind === PageKind.ROM_VIRGIN ? tracked.virginDirty : tracked.dirty, page);
  }

  #becomeDirty(dirty: Uint8Array, page: number): void {
    if (dirty[page]) return;
    dirty[page] = 1;
    this.#counts.rom.ready--;
    this.#counts.rom.dirty++;
  }

  #takeShadow({ rom, dirty, protection }: Tracked, page: number, taker: PageTaker): void {
    protection[page] = rom.protection[page];
    dirty[page] = 0;
    const content = rom.shadowBytes(page);
    if (!content || isZeroPage(content.bytes, content.at)) taker.add(PageKind.ROM_SHADOW_ZERO, page, rom.id, protection[page]);
    else taker.add(PageKind.ROM_SHADOW_RAW, page, rom.id, protection[page], content.bytes, content.at);
    this.#noteTaken();
  }

  #noteTaken(): void {
    const { rom } = this.#counts;
    rom.dirty--;
    rom.ready++;
    this.#counts.saved++;
  }
}
