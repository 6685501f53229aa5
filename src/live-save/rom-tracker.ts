import type { Pass } from '../../formats/errors.ts';
import { isZero } from '../../formats/kernels/zero.ts';
import { PageKind } from '../../formats/pgm/page-batch.ts';
import { PAGE_SIZE } from '../../formats/sizes.ts';
import { NIL_PAGE_ID, offsetInChunk } from '../gmm/page-id.ts';
import type { RomRange } from '../pgm/devices/rom-range.ts';
import type { GuestMemory } from '../pgm/guest-memory.ts';
import type { LiveCounts } from './live-counters.ts';
import type { PageTaker } from './page-taker.ts';

interface Tracked {
  rom: RomRange;
  /** Id in the list of ROMs of the state. */
  id: number;
  /** By page: 1 while its original content is still to be sent. */
  virginDirty: Uint8Array;
  dirty: Uint8Array;
  dirtiedRecently: Uint8Array;
  /** By page: protection that was sent last. */
  protection: Uint8Array;
}

/** Tracking of ROMs (live-save.md 4.4): their content is sent once; writes to shadows mark pages as dirty. */
export class RomTracker {
  readonly #memory: GuestMemory;
  readonly #counts: LiveCounts;
  readonly #tracked: Tracked[];

  constructor(memory: GuestMemory, counts: LiveCounts) {
    this.#memory = memory;
    this.#counts = counts;
    this.#tracked = memory.roms.all.map((rom, i) => ({
      rom,
      id: i + 1,
      virginDirty: new Uint8Array(rom.pages).fill(1),
      dirty: new Uint8Array(rom.pages).fill(1),
      dirtiedRecently: new Uint8Array(rom.pages).fill(1),
      protection: new Uint8Array(rom.pages),
    }));
    for (const { pages, isShadowed, writtenTo } of memory.roms.all) {
      // All pages are dirty already; from now on writes count.
      writtenTo.fill(0);
      counts.rom.dirty += isShadowed ? 2 * pages : pages;
    }
  }

  scan(): void {
    for (const tracked of this.#tracked) {
      const { rom, dirtiedRecently } = tracked;
      if (!rom.isShadowed) continue;
      for (let page = 0; page < rom.pages; page++) {
        const written = rom.writtenTo[page] !== 0;
        dirtiedRecently[page] = written ? 1 : 0;
        if (!written) continue;
        rom.writtenTo[page] = 0;
        this.#becomeDirty(tracked.dirty, page);
      }
    }
  }

  /** Takes virgin pages of ROMs: in pass 0 all, later the ones that a sink refused. */
  async takeVirgin(taker: PageTaker): Promise<void> {
    for (const { rom, id, virginDirty, protection } of this.#tracked) {
      for (let page = 0; page < rom.pages; page++) {
        if (!virginDirty[page]) continue;
        virginDirty[page] = 0;
        protection[page] = rom.protection[page];
        taker.add(
          PageKind.ROM_VIRGIN,
          page,
          id,
          protection[page],
          this.#memory.roms.virginChunk(rom, page),
          offsetInChunk(rom.virginId[page]),
        );
        this.#noteTaken();
        if (taker.isFull) await taker.hand();
      }
    }
  }

  async takeShadows(pass: Pass, taker: PageTaker): Promise<void> {
    for (const tracked of this.#tracked) {
      const { rom, id, dirty, dirtiedRecently, protection } = tracked;
      if (!rom.isShadowed) continue;
      for (let page = 0; page < rom.pages; page++) {
        const quiet = pass === 'final' || taker.onlyNames || (!dirtiedRecently[page] && !rom.writtenTo[page]);
        if (dirty[page] && quiet) this.#takeShadow(tracked, page, taker);
        else if (pass === 'final' && protection[page] !== rom.protection[page]) {
          protection[page] = rom.protection[page];
          taker.add(PageKind.ROM_PROTECTION, page, id, protection[page]);
        }
        if (taker.isFull) await taker.hand();
      }
    }
  }

  putBack(kind: number, id: number, page: number): void {
    const tracked = this.#tracked[id - 1];
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

  #takeShadow({ rom, id, dirty, protection }: Tracked, page: number, taker: PageTaker): void {
    protection[page] = rom.protection[page];
    dirty[page] = 0;
    const shadow = rom.shadowId(page);
    const chunk = shadow === NIL_PAGE_ID ? undefined : this.#memory.pages.backing.chunkBytes(shadow);
    if (!chunk || isZero(chunk, offsetInChunk(shadow), PAGE_SIZE))
      taker.add(PageKind.ROM_SHADOW_ZERO, page, id, protection[page]);
    else taker.add(PageKind.ROM_SHADOW_RAW, page, id, protection[page], chunk, offsetInChunk(shadow));
    this.#noteTaken();
  }

  #noteTaken(): void {
    const { rom } = this.#counts;
    rom.dirty--;
    rom.ready++;
    this.#counts.saved++;
  }
}
