import { swapWords } from '../../formats/binary/byte-order.ts';
import { type GuestPhys, PAGE_SIZE } from '../../formats/sizes.ts';
import { Turns } from '../../formats/turns.ts';
import type { AddressSpace } from './address-space.ts';
import { NX_HIGH, P, PS, RW, US, type WalkLevel } from './schemes.ts';
import { isReserved, tableAddress, type Walker } from './walker.ts';

/** Kind of an entry. */
export type EntryKind = 'table' | 'page' | 'reserved-bit';

/** Callbacks for the tables' contents, in ascending order of addresses. Addresses are numbers, as in `Walker`. */
export interface TableVisitor {
  /** A usable page; `rights` are RW and US of all levels combined. */
  page?(linear: number, gcPhys: GuestPhys, size: number, rights: number, executable: boolean): void;
  /** A present entry, before the entries below it. `depth` counts from the root, 0. */
  entry?(level: WalkLevel, depth: number, linear: number, low: number, high: number, kind: EntryKind): void;
  /** An entry refers to a table outside all memory. */
  noTable?(depth: number, linear: number, gcPhys: GuestPhys): void;
  /** Asked before each table: true ends the visit. */
  isEnough?(): boolean;
}

/** Limits of reading tables, which may loop. */
export interface VisitLimits {
  /** Levels to go down, the root included; default all. */
  levels?: number;
  /**
   * Maximum number of tables to read; the default is enough for 128 times 4 GiB in 4 KiB pages. Tables that contain
   * themselves have no end otherwise.
   */
  maxTables?: number;
  /** Only entries that reach this address or later ones. */
  from?: number;
}

const MAX_TABLES = 1 << 18;

/** Tables that are read, in a millisecond, between two looks whether other work is due. */
const TURN_TABLES = 1 << 6;

/**
 * Visits all present entries of a CPU's tables, in turns with other work, which can end it: tables that contain
 * themselves take many seconds. @returns false if a limit or the visitor ended the visit @throws InterruptedError
 */
export async function visitTables(
  space: AddressSpace,
  visitor: TableVisitor,
  limits: VisitLimits = {},
  signal?: AbortSignal,
): Promise<boolean> {
  if (!space.walker) return true;
  const visit = new TableVisit(space, space.walker, visitor, limits);
  const turns = Turns.rare(signal);
  while (!visit.goOn(TURN_TABLES)) if (turns.areDue) await turns.give();
  return visit.isComplete;
}

/** A table on the way from the root to the present one. */
interface OpenTable {
  base: number;
  /** RW and US of all levels above. */
  rights: number;
  executable: boolean;
  /** Index of the next entry. */
  next: number;
  /** Bytes of the table's page, and the same bytes as halves of entries. */
  readonly page: Uint8Array;
  readonly words: Uint32Array;
}

class TableVisit {
  /** No limit, and not the visitor, has ended the visit. */
  isComplete = true;
  readonly #space: AddressSpace;
  readonly #walker: Walker;
  readonly #visitor: TableVisitor;
  readonly #depthLimit: number;
  readonly #from: number;
  readonly #wide: 0 | 1;
  /** The present table and all tables above it, by depth. */
  readonly #open: OpenTable[];
  /** Depth of the present table; negative at the end. */
  #depth = -1;
  #tablesLeft: number;

  constructor(
    space: AddressSpace,
    walker: Walker,
    visitor: TableVisitor,
    { levels = Number.POSITIVE_INFINITY, maxTables = MAX_TABLES, from = 0 }: VisitLimits,
  ) {
    this.#space = space;
    this.#walker = walker;
    this.#visitor = visitor;
    this.#depthLimit = Math.min(levels, walker.levels.length);
    this.#tablesLeft = maxTables;
    this.#from = from;
    this.#wide = walker.scheme.entrySize === 8 ? 1 : 0;
    this.#open = walker.levels.map(() => {
      const page = new Uint8Array(PAGE_SIZE);
      return { base: 0, rights: 0, executable: true, next: 0, page, words: new Uint32Array(page.buffer) };
    });
    this.#enter(0, walker.root, 0, RW | US, true);
  }

  /** Reads so many tables at most. @returns whether the visit has ended */
  goOn(tables: number): boolean {
    const end = this.#tablesLeft - tables;
    while (this.#depth >= 0 && this.isComplete) {
      if (this.#tablesLeft <= end) return false;
      const table = this.#open[this.#depth];
      if (table.next > this.#walker.levels[this.#depth].indexMask) this.#depth--;
      else this.#nextEntry(table, this.#depth, table.next++);
    }
    return true;
  }

  #enter(depth: number, address: GuestPhys, base: number, rights: number, executable: boolean): void {
    if (this.#tablesLeft-- <= 0 || this.#visitor.isEnough?.()) {
      this.isComplete = false;
      return;
    }
    const table = this.#open[depth];
    if (!this.#load(table, depth, address)) {
      this.#visitor.noTable?.(depth, base, address);
      return;
    }
    const next = Math.max(0, Math.floor((this.#from - base) / this.#walker.levels[depth].span));
    Object.assign(table, { base, rights, executable, next });
    this.#depth = depth;
  }

  #nextEntry(
    { words, base, rights: above, executable: executableAbove }: OpenTable,
    depth: number,
    index: number,
  ): void {
    const low = words[index << this.#wide];
    if ((low & P) === 0) return;
    const level = this.#walker.levels[depth];
    const linear = base + index * level.span;
    const high = this.#wide ? words[(index << 1) + 1] : 0;
    const isPage = level.last || (level.large && (low & PS) !== 0);
    const reserved = isReserved(level, isPage, low, high);
    this.#visitor.entry?.(level, depth, linear, low, high, reserved ? 'reserved-bit' : isPage ? 'page' : 'table');
    if (reserved) return;
    const rights = level.hasRights ? above & low : above;
    const executable = executableAbove && (high & NX_HIGH) === 0;
    if (isPage) {
      const gcPhys = this.#space.physical(this.#walker.pageBase(level, low, high));
      this.#visitor.page?.(linear, gcPhys, level.span, rights, executable);
    } else if (depth + 1 < this.#depthLimit)
      this.#enter(depth + 1, tableAddress(low, high), linear, rights, executable);
  }

  #load({ page: bytes, words }: OpenTable, depth: number, address: GuestPhys): boolean {
    if (depth === 0 && this.#walker.latched) {
      words.set(this.#walker.latched);
      return true;
    }
    const page = address - (address % PAGE_SIZE);
    if (!this.#space.memory.holdsTables(page)) return false;
    this.#space.memory.read(page, bytes);
    swapWords(bytes);
    return true;
  }
}
