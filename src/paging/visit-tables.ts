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
   * Most tables to read; the default is enough for 128 times 4 GiB in 4 KiB pages. Tables that contain themselves have
   * no end otherwise.
   */
  maxTables?: number;
  /** Only entries that reach this address or later ones. */
  from?: number;
}

const MAX_TABLES = 1 << 18;

/** Visits all present entries of a CPU's tables. @returns false if a limit or the visitor ended the visit */
export function visitTables(
  space: AddressSpace,
  visitor: TableVisitor,
  { levels = Number.POSITIVE_INFINITY, maxTables = MAX_TABLES, from = 0 }: VisitLimits = {},
): boolean {
  return space.walker ? new TableVisit(space, space.walker, visitor, levels, maxTables, from).run() : true;
}

/** Tables that are read before it is asked whether other work is due: some ms. */
const TURN_TABLES = 1 << 10;

/**
 * As `visitTables`, in turns with other work, which can end it: tables that contain themselves take many seconds. Tells
 * of pages only, as upper tables are visited again in each turn. @throws InterruptedError
 */
export async function visitPagesInTurns(
  space: AddressSpace,
  visitor: Required<Pick<TableVisitor, 'page' | 'isEnough'>>,
  { levels = Number.POSITIVE_INFINITY, maxTables = MAX_TABLES, from = 0 }: VisitLimits = {},
  signal?: AbortSignal,
): Promise<boolean> {
  const { walker } = space;
  if (!walker) return true;
  const turns = Turns.rare(signal);
  for (let [at, left] = [from, maxTables]; left > 0; left -= TURN_TABLES) {
    const visit = new TableVisit(space, walker, visitor, levels, Math.min(left, TURN_TABLES), at);
    if (visit.run()) return true;
    if (visitor.isEnough()) return false;
    at = visit.stoppedAt;
    if (turns.areDue) await turns.give();
  }
  return false;
}

class TableVisit {
  /** Address of the first table that was not read, for lack of tables left. */
  stoppedAt = 0;
  readonly #space: AddressSpace;
  readonly #walker: Walker;
  readonly #visitor: TableVisitor;
  readonly #depthLimit: number;
  readonly #from: number;
  readonly #wide: boolean;
  /** The current table of each level: bytes of its page, and the same as halves of entries. */
  readonly #pages: Uint8Array[];
  readonly #words: Uint32Array[];
  #tablesLeft: number;
  #complete = true;

  constructor(
    space: AddressSpace,
    walker: Walker,
    visitor: TableVisitor,
    levels: number,
    maxTables: number,
    from: number,
  ) {
    this.#space = space;
    this.#walker = walker;
    this.#visitor = visitor;
    this.#depthLimit = Math.min(levels, walker.levels.length);
    this.#tablesLeft = maxTables;
    this.#from = from;
    this.#wide = walker.scheme.entrySize === 8;
    this.#pages = walker.levels.map(() => new Uint8Array(PAGE_SIZE));
    this.#words = this.#pages.map((page) => new Uint32Array(page.buffer));
  }

  run(): boolean {
    this.#table(0, this.#walker.root, 0, RW | US, true);
    return this.#complete;
  }

  #table(depth: number, address: GuestPhys, base: number, rights: number, executable: boolean): void {
    if (this.#tablesLeft-- <= 0 || this.#visitor.isEnough?.()) {
      this.#complete = false;
      this.stoppedAt = base;
      return;
    }
    if (!this.#load(depth, address)) {
      this.#visitor.noTable?.(depth, base, address);
      return;
    }
    const level = this.#walker.levels[depth];
    const words = this.#words[depth];
    const wide = this.#wide ? 1 : 0;
    const first = Math.max(0, Math.floor((this.#from - base) / level.span));
    for (let index = first; index <= level.indexMask && this.#complete; index++) {
      const low = words[index << wide];
      if ((low & P) !== 0)
        this.#entry(
          level,
          depth,
          base + index * level.span,
          low,
          wide ? words[(index << 1) + 1] : 0,
          rights,
          executable,
        );
    }
  }

  #entry(
    level: WalkLevel,
    depth: number,
    linear: number,
    low: number,
    high: number,
    rightsAbove: number,
    executableAbove: boolean,
  ): void {
    const isPage = level.last || (level.large && (low & PS) !== 0);
    const reserved = isReserved(level, isPage, low, high);
    this.#visitor.entry?.(level, depth, linear, low, high, reserved ? 'reserved-bit' : isPage ? 'page' : 'table');
    if (reserved) return;
    const rights = level.hasRights ? rightsAbove & low : rightsAbove;
    const executable = executableAbove && (high & NX_HIGH) === 0;
    if (isPage)
      this.#visitor.page?.(
        linear,
        this.#space.physical(this.#walker.pageBase(level, low, high)),
        level.span,
        rights,
        executable,
      );
    else if (depth + 1 < this.#depthLimit) this.#table(depth + 1, tableAddress(low, high), linear, rights, executable);
  }

  #load(depth: number, address: GuestPhys): boolean {
    if (depth === 0 && this.#walker.latched) {
      this.#words[0].set(this.#walker.latched);
      return true;
    }
    const page = address - (address % PAGE_SIZE);
    if (!this.#space.memory.holdsTables(page)) return false;
    this.#space.memory.read(page, this.#pages[depth]);
    swapWords(this.#pages[depth]);
    return true;
  }
}
