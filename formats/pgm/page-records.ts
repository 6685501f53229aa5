import { readU32 } from '../binary/little-endian.ts';
import { FormatError, hex } from '../errors.ts';
import { PAGE_SIZE, TWO_32 } from '../sizes.ts';
import type { PayloadReader } from '../ssm/payload.ts';
import { changed } from './head.ts';
import { END_ID } from './layouts.ts';
import { isRam, type PageBatch, PageKind } from './page-batch.ts';
import { PageContent } from './page-content.ts';
import { FRAME_LIMIT, isInLowHole, type KnownRanges } from './ranges.ts';

// Page records of versions 10 to 14 (pgm-unit.md 7). Source: PGMSavedState.cpp, PGM_STATE_REC_*, pgmR3LoadMemory.

const WITH_ADDRESS = 0x80;
export type PageStop = 'full' | 'more' | 'end';

/** By record type: whether a protection byte follows. */
const HAS_PROTECTION = [false, false, false, false, true, true, true, true, false];
const HAS_CONTENT = [false, true, true, false, true, true, false, false, false];

/** Start of a pass for records without an address, which continue after the last page. */
const FIRST = { frame: Number.NaN, id: 0xff, page: 0xfffffff5 };

export interface RecordRules {
  ranges: KnownRanges;
  /**
   * Whether the release that wrote the state has RAM between 0xA0000 and 0xFFFFF. Releases since 6.1 have none, and
   * refuse content there.
   */
  ramInLowHole: boolean;
  gcPhysWidth: 4 | 8;
}

/** Turns the page records of one pass into batches. */
export class PageRecords {
  readonly #rules: RecordRules;
  readonly #content = new PageContent();
  #frame = FIRST.frame;
  #id = FIRST.id;
  #page = FIRST.page;
  #kind = 0;
  #protection = 0;
  /** The content of the last record is not complete yet. */
  #waiting = false;
  /** After a gap the addresses of records are unknown, until a record has one. */
  #floating = false;

  constructor(rules: RecordRules) {
    this.#rules = rules;
  }

  /** Continues after a gap, with RAM page `frame`, or without a known address. */
  resume(frame: number | undefined): void {
    this.#floating = frame === undefined;
    this.#frame = (frame ?? 0) - 1;
  }

  /**
   * Adds records to `batch` from the position of `payload` on.
   * @returns `full`: no room in the batch; `more`: the next record is incomplete, fetch more payload; `end`: the pass
   * is complete
   * @throws FormatError with the code of VirtualBox's loader
   */
  scan(payload: PayloadReader, batch: PageBatch): PageStop {
    if (this.#waiting && !this.#add(payload, batch)) return 'more';
    while (!batch.isFull) {
      if (!payload.collect(1)) return 'more';
      const byte = payload.runBytes[payload.runAt];
      if (byte === END_ID) {
        payload.take(1);
        return 'end';
      }
      const kind = byte & ~WITH_ADDRESS;
      if (kind > PageKind.RAM_BALLOONED)
        throw changed(`page record at ${hex(payload.place.offset ?? 0)}`, `type ${hex(byte)} is unknown`).at(
          payload.place,
        );
      const addressed = byte >= WITH_ADDRESS;
      if (addressed && this.#floating) {
        if (batch.count > 0) return 'full';
        this.#floating = false;
      }
      const ram = isRam(kind);
      const addressSize = addressed ? (ram ? this.#rules.gcPhysWidth : 5) : 0;
      const headSize = 1 + addressSize + (HAS_PROTECTION[kind] ? 1 : 0);
      if (!payload.collect(headSize)) return 'more';
      const { runBytes, runAt } = payload;
      if (ram) this.#stepRam(kind, addressed ? readFrame(runBytes, runAt + 1, addressSize) : this.#frame + 1, payload);
      else if (addressed) this.#stepRange(kind, runBytes[runAt + 1], readU32(runBytes, runAt + 2), payload);
      else this.#stepRange(kind, this.#id, (this.#page + 1) >>> 0, payload);
      const protection = HAS_PROTECTION[kind] ? runBytes[runAt + headSize - 1] : 0;
      if (HAS_PROTECTION[kind] && (protection < 1 || protection > 4)) {
        throw new FormatError(
          'bad-page',
          `Cannot read ROM page: protection ${protection}, expected 1 to 4`,
          payload.place,
          'VERR_PGM_SAVED_ROM_PAGE_PROT',
        );
      }
      this.#kind = kind;
      this.#protection = protection;
      payload.take(headSize);
      if (!this.#add(payload, batch)) return 'more';
    }
    return 'full';
  }

  /** Adds the current record; false, and nothing added, while its content is incomplete. */
  #add(payload: PayloadReader, batch: PageBatch): boolean {
    const ram = isRam(this.#kind);
    batch.floating = this.#floating;
    batch.add(this.#kind, ram ? this.#frame : this.#page, ram ? 0 : this.#id, this.#protection);
    this.#waiting = HAS_CONTENT[this.#kind] && !this.#content.take(payload, batch);
    if (this.#waiting) batch.count--;
    return !this.#waiting;
  }

  #stepRam(kind: number, frame: number, payload: PayloadReader): void {
    if (!Number.isInteger(frame)) throw changed('page record', 'the address is not page aligned').at(payload.place);
    this.#frame = frame;
    this.#id = FIRST.id;
    if (this.#floating) return;
    const { ranges, ramInLowHole } = this.#rules;
    const inHole = isInLowHole(frame);
    const tolerated = kind === PageKind.RAM_ZERO || ramInLowHole;
    if (frame < FRAME_LIMIT && (inHole ? tolerated : ranges.isRamFrame(frame))) return;
    const message = `Cannot read page record: no RAM at ${hex(frame * PAGE_SIZE)}`;
    throw new FormatError(
      'bad-page',
      message,
      { ...payload.place, gcPhys: frame * PAGE_SIZE },
      'VERR_PGM_INVALID_GC_PHYSICAL_ADDRESS',
    );
  }

  /**
   * Goes to a page of a ROM or MMIO2 range. Both share id and page, as in the loader; a protection record sets the RAM
   * address to that of the ROM page (pgm-unit.md 7).
   */
  #stepRange(kind: number, id: number, page: number, payload: PayloadReader): void {
    this.#id = id;
    this.#page = page;
    if (this.#floating) return;
    this.#frame = kind === PageKind.ROM_PROTECTION ? this.#rules.ranges.romFrames[id] + page : FIRST.frame;
    const rom = kind >= PageKind.ROM_VIRGIN;
    const name = rom ? 'ROM' : 'MMIO2';
    const pages = (rom ? this.#rules.ranges.romPages : this.#rules.ranges.mmio2Pages)[id];
    if (pages < 0)
      throw new FormatError(
        'bad-page',
        `Cannot read page record: no ${name} range has id ${id}`,
        payload.place,
        `VERR_PGM_SAVED_${name}_RANGE_NOT_FOUND`,
      );
    if (page >= pages) {
      const message = `Cannot read page record: page ${page} of ${name} range ${id}, which has ${pages}`;
      throw new FormatError('bad-page', message, payload.place, `VERR_PGM_SAVED_${name}_PAGE_NOT_FOUND`);
    }
  }
}

/** A page frame number; not an integer when the address is not page aligned. */
function readFrame(bytes: Uint8Array, at: number, width: number): number {
  const high = width === 8 ? readU32(bytes, at + 4) : 0;
  return (high * TWO_32 + readU32(bytes, at)) / PAGE_SIZE;
}
