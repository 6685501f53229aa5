import { FormatError } from '../errors.ts';
import { PAGE_SIZE } from '../sizes.ts';
import type { PayloadReader } from '../ssm/payload.ts';
import { noteType, OldPageType, type OldRange } from './old-ranges.ts';
import { type PageBatch, PageKind } from './page-batch.ts';
import { PageContent } from './page-content.ts';
import type { PageStop } from './page-records.ts';
import type { PageTypes } from './page-types.ts';

// Pages of a RAM range in versions 7 to 9 (pgm-unit.md 5.1): type byte, [protection,] state byte, [4096 bytes]; a
// shadowed ROM page has two states and contents. Source: PGMSavedState.cpp, pgmR3LoadMemoryOld.

/** Kinds of record for (zero, with content), by page type. Types without guest memory have none. */
const KINDS: Record<number, readonly [number, number]> = {
  [OldPageType.RAM]: [PageKind.RAM_ZERO, PageKind.RAM_RAW],
  [OldPageType.MMIO2]: [PageKind.MMIO2_ZERO, PageKind.MMIO2_RAW],
  [OldPageType.ROM]: [PageKind.ROM_VIRGIN, PageKind.ROM_VIRGIN],
};
const VIRGIN = [PageKind.ROM_VIRGIN, PageKind.ROM_VIRGIN] as const;
const SHADOW = [PageKind.ROM_SHADOW_ZERO, PageKind.ROM_SHADOW_RAW] as const;

/** Turns the pages of one range into records as versions 10 and later have them. */
export class TypedPages {
  readonly #range: OldRange;
  readonly #content = new PageContent();
  #page = 0;
  /** Parts of the current page that are still to come, as (zero, content) kinds. */
  readonly #parts: (readonly [number, number] | undefined)[] = [];
  #protection = 1;
  /** Kind of the record whose content has not fully arrived; −1 for content without a record. */
  #waiting: number | undefined;

  readonly #types: PageTypes;

  constructor(range: OldRange, types: PageTypes) {
    this.#range = range;
    this.#types = types;
    types.beginRange(range);
  }

  scan(payload: PayloadReader, batch: PageBatch): PageStop {
    if (this.#waiting !== undefined && !this.#takeContent(payload, batch, this.#waiting)) return 'more';
    while (!batch.isFull) {
      if (this.#parts.length === 0) {
        if (this.#page === this.#range.pages) return 'end';
        if (!this.#begin(payload)) return 'more';
      }
      if (!payload.collect(1)) return 'more';
      const state = payload.takeByte();
      if (state > 1)
        throw new FormatError(
          'bad-page',
          `Cannot read page ${this.#page} of RAM range ${this.#range.index}: state ${state}`,
          payload.place,
          'VERR_PGM_INVALID_SAVED_PAGE_STATE',
        );
      const kind = this.#parts[0]?.[state] ?? -1;
      if (state === 1) {
        if (!this.#takeContent(payload, batch, kind)) return 'more';
      } else {
        if (kind >= 0) this.#add(batch, kind);
        this.#step();
      }
    }
    return 'full';
  }

  /** Reads type and protection of the next page. */
  #begin(payload: PayloadReader): boolean {
    if (!payload.collect(2)) return false;
    const byte = payload.runBytes[payload.runAt];
    const type = this.#types.translate(byte, payload.runBytes[payload.runAt + 1], this.#range);
    if (type > OldPageType.MMIO) throw this.#unexpected(payload, `type ${byte}`);
    if (type === OldPageType.ROM_SHADOW) {
      this.#protection = payload.runBytes[payload.runAt + 1];
      if (this.#protection > 4) throw this.#unexpected(payload, `protection ${this.#protection}`);
      payload.take(1);
      // The active page comes first: the one that the guest reads.
      const readsRam = this.#protection >= 3;
      this.#parts.push(readsRam ? SHADOW : VIRGIN, readsRam ? VIRGIN : SHADOW);
    } else {
      this.#protection = 1;
      this.#parts.push(KINDS[type]);
    }
    payload.take(1);
    noteType(this.#range, type, this.#page);
    return true;
  }

  #takeContent(payload: PayloadReader, batch: PageBatch, kind: number): boolean {
    const complete = kind < 0 ? this.#content.pass(payload) : this.#addContent(payload, batch, kind);
    this.#waiting = complete ? undefined : kind;
    if (complete) this.#step();
    return complete;
  }

  #addContent(payload: PayloadReader, batch: PageBatch, kind: number): boolean {
    this.#add(batch, kind);
    const complete = this.#content.take(payload, batch);
    if (!complete) batch.count--;
    return complete;
  }

  #add(batch: PageBatch, kind: number): void {
    const ram = kind === PageKind.RAM_ZERO || kind === PageKind.RAM_RAW;
    const page = ram ? this.#range.start / PAGE_SIZE + this.#page : this.#page;
    batch.add(kind, page, ram ? 0 : this.#range.index, kind >= PageKind.ROM_VIRGIN ? Math.max(1, this.#protection) : 0);
  }

  #step(): void {
    this.#parts.shift();
    if (this.#parts.length === 0) this.#page++;
  }

  #unexpected(payload: PayloadReader, what: string): FormatError {
    const message = `Cannot read page ${this.#page} of RAM range ${this.#range.index}: ${what}`;
    return new FormatError('bad-page', message, payload.place, 'VERR_SSM_UNEXPECTED_DATA');
  }
}
