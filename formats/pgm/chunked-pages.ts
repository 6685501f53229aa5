import { tooMany } from '../errors.ts';
import { PAGE_SIZE } from '../sizes.ts';
import type { PayloadReader } from '../ssm/payload.ts';
import { changed } from './head.ts';
import { CHUNK_PAGES, hasChunks, noteType, OldPageType, type OldRange } from './old-ranges.ts';
import { type PageBatch, PageKind } from './page-batch.ts';
import { PageContent } from './page-content.ts';
import type { PageStop } from './page-records.ts';

// Pages of a RAM range in version 6 (pgm-unit.md 5.2): 16 bits of flags a page, then all content in one piece or in
// chunks of 1 MiB. Source: PGM.cpp of 1.6–2.1, pgmR3Save; MM_RAM_FLAGS_*.

const FLAG_RESERVED = 1;
const FLAG_ROM = 2;
const FLAG_MMIO = 4;
const FLAG_MMIO2 = 8;
/** Guests of these releases have less than 4 GiB. One byte is kept per page. */
const MAX_PAGES = 2 ** 20;

/** Turns the pages of one range into records as versions 10 and later have them. */
export class ChunkedPages {
  readonly #range: OldRange;
  readonly #content = new PageContent();
  readonly #types: Uint8Array;
  #flagsRead = 0;
  #page = 0;
  /** Whether the current chunk has content, or is zero; undefined before its presence byte. */
  #present: boolean | undefined;
  #waiting = false;

  constructor(range: OldRange) {
    if (range.pages > MAX_PAGES) throw tooMany(`pages of RAM range ${range.index}`, MAX_PAGES);
    if (hasChunks(range) && range.pages % CHUNK_PAGES !== 0)
      throw changed(`RAM range ${range.index}`, `${range.pages} pages are no whole chunks`);
    this.#range = range;
    this.#types = new Uint8Array(range.pages);
    if (range.ownMemory) this.#present = true;
  }

  scan(payload: PayloadReader, batch: PageBatch): PageStop {
    if (!this.#readFlags(payload)) return 'more';
    const { pages, ownMemory } = this.#range;
    const chunks = hasChunks(this.#range);
    if (!ownMemory && !chunks) return 'end';
    while (this.#page < pages) {
      if (batch.isFull) return 'full';
      if (chunks && this.#page % CHUNK_PAGES === 0 && !this.#waiting && !this.#readPresence(payload)) return 'more';
      if (!this.#takePage(payload, batch)) return 'more';
      this.#page++;
    }
    return 'end';
  }

  #readFlags(payload: PayloadReader): boolean {
    for (; this.#flagsRead < this.#range.pages; this.#flagsRead++) {
      if (!payload.collect(2)) return false;
      const flags = payload.runBytes[payload.runAt] | (payload.runBytes[payload.runAt + 1] << 8);
      payload.take(2);
      const type = typeOf(flags);
      this.#types[this.#flagsRead] = type;
      noteType(this.#range, type, this.#flagsRead);
    }
    return true;
  }

  #readPresence(payload: PayloadReader): boolean {
    if (!payload.collect(1)) return false;
    const byte = payload.takeByte();
    if (byte > 1)
      throw changed(`chunk at page ${this.#page} of RAM range ${this.#range.index}`, `presence ${byte}`).at(
        payload.place,
      );
    this.#present = byte === 1;
    return true;
  }

  /** Takes a page; content of pages that hold no memory (MMIO) is meaningless, and dropped. */
  #takePage(payload: PayloadReader, batch: PageBatch): boolean {
    const type = this.#types[this.#page];
    const kind = kindOf(type, this.#present === true);
    if (kind === undefined) {
      this.#waiting = this.#present === true && !this.#content.pass(payload);
    } else {
      const frame = this.#range.start / PAGE_SIZE + this.#page;
      const ram = type === OldPageType.RAM;
      batch.add(kind, ram ? frame : this.#page, ram ? 0 : this.#range.index, kind === PageKind.ROM_VIRGIN ? 1 : 0);
      this.#waiting = this.#present === true && !this.#content.take(payload, batch);
      if (this.#waiting) batch.count--;
    }
    return !this.#waiting;
  }
}

function typeOf(flags: number): number {
  if (flags & FLAG_MMIO2) return OldPageType.MMIO2;
  if (flags & FLAG_MMIO) return OldPageType.MMIO;
  if (flags & FLAG_ROM) return OldPageType.ROM;
  return flags & FLAG_RESERVED ? OldPageType.INVALID : OldPageType.RAM;
}

function kindOf(type: number, present: boolean): number | undefined {
  if (type === OldPageType.RAM) return present ? PageKind.RAM_RAW : PageKind.RAM_ZERO;
  if (type === OldPageType.MMIO2) return present ? PageKind.MMIO2_RAW : PageKind.MMIO2_ZERO;
  return type === OldPageType.ROM ? PageKind.ROM_VIRGIN : undefined;
}
