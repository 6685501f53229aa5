import { xxh64 } from '../../../formats/kernels/xxh64.ts';
import { isMmio2, isRam, type PageBatch, PageKind } from '../../../formats/pgm/page-batch.ts';
import { PAGE_SIZE } from '../../../formats/sizes.ts';
import { Encoding } from '../../../formats/ssm/segments.ts';
import { FrameSet } from '../reading/frame-set.ts';

/**
 * Page records are counted by group: all RAM is one; each ROM and each MMIO2 range has groups of its own, by range id.
 */
export type PageGroup = 'RAM' | `${'MMIO2' | 'ROM' | 'shadow' | 'protection'} ${number}`;

export function groupOf(kind: number, id: number): PageGroup {
  if (isRam(kind)) return 'RAM';
  if (isMmio2(kind)) return `MMIO2 ${id}`;
  if (kind === PageKind.ROM_VIRGIN) return `ROM ${id}`;
  return kind === PageKind.ROM_PROTECTION ? `protection ${id}` : `shadow ${id}`;
}

/** Takes a hash of kind and content for each page of a pgm unit. Of several records of a page, the last one counts. */
export interface PageNotes {
  note(pass: number, group: PageGroup, page: number, hash: bigint): void;
  /** Waited for after each batch, as the receiver of the notes may lag behind. */
  room(): Promise<void> | undefined;
}

export interface SurveyOptions {
  /**
   * The value of all bytes of damaged blocks. It also marks uncertain pages, so that two readings give them different
   * hashes.
   */
  patchWith: number;
  /** Pgm units, by number, whose bytes no CRC vouches for. */
  doubted: ReadonlySet<number>;
  /**
   * Pages with content that one block can hold: damage may reach this many pages back from the place where blocks
   * break.
   */
  reach: number;
}

/** A page, by its group. */
export interface PagePlace {
  group: PageGroup;
  page: number;
}

/** Looks at the pages of all passes, in one reading. */
export class PageSurvey {
  /**
   * By pass: the first record that may be damaged, as damage reaches back from the place where records last broke.
   * Absent: no record broke; `start`: all are in doubt.
   */
  readonly doubtedFrom: (PagePlace | 'start' | undefined)[] = [];
  /** Passes with a block that cannot be decompressed, also where a good record of the same page follows. */
  readonly hurt = new Set<number>();
  readonly #notes: PageNotes;
  readonly #options: SurveyOptions;
  readonly #page = new Uint8Array(PAGE_SIZE);
  /** The last pages with content of the current unit, each with all pages after it. */
  #latest: PagePlace[][] = [[]];
  /** A block of the current unit turned out bad. */
  #hasBadBlock = false;
  /** Pages of the current unit since then, where damage can reach further than its block; else undefined. */
  #sinceBad: MetPages | undefined;

  constructor(notes: PageNotes, options: SurveyOptions) {
    this.#notes = notes;
    this.#options = options;
  }

  readonly pages = (batch: PageBatch, pass: number): Promise<void> | undefined => {
    if (batch.floating) return undefined;
    const isDoubted = this.#options.doubted.has(pass);
    for (let i = 0; i < batch.count; i++) {
      const kind = batch.kind[i];
      const group = groupOf(kind, batch.id[i]);
      const page = batch.page[i];
      batch.decode(i, this.#page, 0);
      // 0 means that the page was not there.
      const hash = xxh64(this.#page) ^ BigInt((kind << 8) | batch.protection[i]) || 1n;
      this.#notes.note(
        pass,
        group,
        page,
        isDoubted && isStoredRaw(batch, i) && hasLongZeros(this.#page) ? this.#uncertain : hash,
      );
      if (batch.encoding[i] !== Encoding.NONE && this.#latest.push([]) > this.#options.reach) this.#latest.shift();
      const place = { group, page };
      this.#latest[this.#latest.length - 1].push(place);
      this.#sinceBad?.add(place);
    }
    return this.#notes.room();
  };

  /**
   * A damaged block may claim a wrong size, so that all bytes after it are shifted. Blocks of V2.0 hold one piece each,
   * so the next record's head shows a wrong size.
   */
  readonly badBlock = (): void => {
    this.#hasBadBlock = true;
    if (this.#options.reach > 1) this.#sinceBad ??= new MetPages();
  };

  /**
   * Damage may begin before the place where records break: at the earliest in the bytes of the last content and of the
   * heads after it, or at the first bad block.
   */
  readonly broken = (pass: number): void => {
    const latest = this.#latest.flat();
    const sinceBad = this.#sinceBad ?? new MetPages();
    for (const places of [latest, sinceBad])
      for (const { group, page } of places) this.#notes.note(pass, group, page, this.#uncertain);
    const { first } = sinceBad;
    this.doubtedFrom[pass] = first && !latest.includes(first) ? first : (latest[0] ?? 'start');
    this.#forget();
  };

  readonly endPgm = (_outcome: unknown, pass: number): void => {
    if (this.#hasBadBlock) this.hurt.add(pass);
    this.#hasBadBlock = false;
    this.#forget();
  };

  #forget(): void {
    this.#latest = [[]];
    this.#sinceBad = undefined;
  }

  get #uncertain(): bigint {
    return BigInt(this.#options.patchWith) + 1n;
  }
}

/** Pages that a reading has met since some moment. */
class MetPages {
  /** The first of them. */
  first: PagePlace | undefined;
  readonly #numbers = new Map<PageGroup, FrameSet>();

  add(place: PagePlace): void {
    this.first ??= place;
    let numbers = this.#numbers.get(place.group);
    if (!numbers) {
      numbers = new FrameSet();
      this.#numbers.set(place.group, numbers);
    }
    numbers.add(place.page);
  }

  *[Symbol.iterator](): Generator<PagePlace> {
    for (const [group, numbers] of this.#numbers) for (const page of numbers.numbers()) yield { group, page };
  }
}

/** Whether the page is stored raw and in one piece. */
function isStoredRaw(batch: PageBatch, i: number): boolean {
  return batch.encoding[i] === Encoding.RAW && batch.at[i] < batch.window.spillStart;
}

const ZERO_BLOCK = Buffer.alloc(128);

/**
 * Whether a page has three blocks of zeros in a row. VirtualBox stores a page raw only if compression saves less than
 * 256 bytes, and such a page compresses better.
 */
function hasLongZeros(page: Uint8Array): boolean {
  for (let at = 0, zeros = 0; at < PAGE_SIZE; at += ZERO_BLOCK.length) {
    zeros = ZERO_BLOCK.compare(page, at, at + ZERO_BLOCK.length) === 0 ? zeros + 1 : 0;
    if (zeros === 3) return true;
  }
  return false;
}
