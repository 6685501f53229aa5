import { type Arena, SPILL_SLOTS } from '../files/window.ts';
import { copyBytes } from '../kernels/arena.ts';
import { lzfWalk, lzfWalkBatch } from '../kernels/lzf.ts';
import { PAGE_SIZE } from '../sizes.ts';
import { badCompression, decompress, Encoding } from '../ssm/segments.ts';

/** Page records, numbered as pgm versions 10 to 14 store them. Older versions are read into these. */
export const PageKind = {
  /** RAM, all zeros. */
  RAM_ZERO: 0,
  /** RAM with content. */
  RAM_RAW: 1,
  /** Device memory with content. */
  MMIO2_RAW: 2,
  /** Device memory, all zeros. */
  MMIO2_ZERO: 3,
  /** A page of a ROM itself. */
  ROM_VIRGIN: 4,
  /** The shadow of a ROM page, with content. */
  ROM_SHADOW_RAW: 5,
  /** The shadow of a ROM page, all zeros. */
  ROM_SHADOW_ZERO: 6,
  /** Protection of a ROM page: it decides on reads and writes of ROM and shadow; no content. */
  ROM_PROTECTION: 7,
  /** RAM that the balloon has taken; no content. */
  RAM_BALLOONED: 8,
} as const;
export const PAGE_KIND_COUNT = 9;

export function isRam(kind: number): boolean {
  return kind <= PageKind.RAM_RAW || kind === PageKind.RAM_BALLOONED;
}
/** Whether a record of this kind carries a page. */
export function hasContent(kind: number): boolean {
  return (
    kind === PageKind.RAM_RAW ||
    kind === PageKind.MMIO2_RAW ||
    kind === PageKind.ROM_VIRGIN ||
    kind === PageKind.ROM_SHADOW_RAW
  );
}

export function isMmio2(kind: number): boolean {
  return kind === PageKind.MMIO2_RAW || kind === PageKind.MMIO2_ZERO;
}

/** Records of a table. */
export const BATCH_CAPACITY = 1024;
/** Bytes that the columns of a table take. */
export const BATCH_BYTES = 17 * BATCH_CAPACITY;

const COLUMNS = ['at', 'length', 'page', 'id', 'kind', 'protection', 'encoding'] as const;

/**
 * A table of page records in file order, the form in which all parts of savkit exchange pages. The content of a page is
 * in `window.bytes`: `length` bytes from `at` on, in the given encoding. All of it is borrowed until the reader's next
 * step.
 */
export class PageBatch {
  /** Records that a batch can hold. */
  readonly capacity = BATCH_CAPACITY;
  /** Records in the batch: columns are valid in `[0, count)`. */
  count = 0;
  /** Index of the content of a page in `window.bytes`. */
  readonly at: Uint32Array;
  /** Bytes of the content in `window.bytes`. */
  readonly length: Uint32Array;
  /** RAM: guest-physical page frame. ROM and MMIO2: page number within the range. */
  readonly page: Uint32Array;
  /** ROM and MMIO2: id of the range, in lists of their own. */
  readonly id: Uint16Array;
  /** `PageKind` of the record. */
  readonly kind: Uint8Array;
  /** ROM: 1 read ROM, write ignored; 2 read ROM, write RAM; 3 read RAM, write ignored; 4 read RAM, write RAM. */
  readonly protection: Uint8Array;
  /** `Encoding` of the content. */
  readonly encoding: Uint8Array;
  /** Memory with the contents, into which `at` points. */
  window: Arena;
  /**
   * After a gap of unknown length, RAM pages are numbered from 0, and the ranges of other pages are unknown
   * (`PgmReader.resume`).
   * @internal
   */
  floating = false;
  /** Spill slots in use. */
  #spilled = 0;

  /** @param columns memory for the columns, if other threads have to see them: `BATCH_BYTES` bytes */
  constructor(window: Arena, columns: ArrayBufferLike = new ArrayBuffer(BATCH_BYTES)) {
    this.window = window;
    this.at = new Uint32Array(columns, 0, BATCH_CAPACITY);
    this.length = new Uint32Array(columns, 4 * BATCH_CAPACITY, BATCH_CAPACITY);
    this.page = new Uint32Array(columns, 8 * BATCH_CAPACITY, BATCH_CAPACITY);
    this.id = new Uint16Array(columns, 12 * BATCH_CAPACITY, BATCH_CAPACITY);
    this.kind = new Uint8Array(columns, 14 * BATCH_CAPACITY, BATCH_CAPACITY);
    this.protection = new Uint8Array(columns, 15 * BATCH_CAPACITY, BATCH_CAPACITY);
    this.encoding = new Uint8Array(columns, 16 * BATCH_CAPACITY, BATCH_CAPACITY);
  }

  /** @internal */
  get isFull(): boolean {
    return this.count === BATCH_CAPACITY || this.#spilled === SPILL_SLOTS;
  }

  /** @internal */
  clear(): void {
    this.count = 0;
    this.floating = false;
    this.#spilled = 0;
  }

  /** Copies the records of another table; the caller sets the places of their contents. @internal */
  copyRecords(from: PageBatch): void {
    this.count = from.count;
    for (const column of COLUMNS) this[column].set(from[column]);
  }

  /** Adds a record without content. @internal */
  add(kind: number, page: number, id: number, protection: number): void {
    const i = this.count++;
    this.kind[i] = kind;
    this.page[i] = page;
    this.id[i] = id;
    this.protection[i] = protection;
    this.encoding[i] = Encoding.NONE;
  }

  /** Leaves out all other records. @internal */
  retain(isKept: (i: number) => boolean): void {
    let kept = 0;
    for (let i = 0; i < this.count; i++) {
      if (!isKept(i)) continue;
      for (const column of COLUMNS) this[column][kept] = this[column][i];
      kept++;
    }
    this.count = kept;
  }

  /** Gives the record added last its content. @internal */
  setContent(encoding: number, at: number, length: number): void {
    const i = this.count - 1;
    this.encoding[i] = encoding;
    this.at[i] = at;
    this.length[i] = length;
  }

  /** Index in `window.bytes` of free room for a page that has to be assembled. @internal */
  takeSpillSlot(): number {
    return this.window.spillStart + this.#spilled++ * PAGE_SIZE;
  }

  /**
   * Writes the content of page `i` to `target[to, to + 4096)`; zeros where it has none. @throws FormatError
   * `bad-compression`
   */
  decode(i: number, target: Uint8Array, to: number): void {
    const encoding = this.encoding[i];
    const at = this.at[i];
    const { bytes } = this.window;
    if (encoding === Encoding.RAW) copyBytes(bytes, at, PAGE_SIZE, target, to);
    else if (encoding === Encoding.LZF) decompress(this.window, at, this.length[i], target, to, PAGE_SIZE);
    else target.fill(0, to, to + PAGE_SIZE);
  }

  /** Whether the content of page `i` can be decoded. */
  canDecode(i: number): boolean {
    const { encoding, at, length, window } = this;
    return encoding[i] !== Encoding.LZF || lzfWalk(window.bytes, at[i], length[i], PAGE_SIZE);
  }

  /** Checks that every page of the batch can be decoded. @throws FormatError `bad-compression` */
  walk(): void {
    if (lzfWalkBatch(this.window.bytes, this, this.count, Encoding.LZF, PAGE_SIZE)) return;
    for (let i = 0; i < this.count; i++) if (!this.canDecode(i)) throw badCompression(this.window.offsetOf(this.at[i]));
  }
}
