import { hex } from '../../formats/errors.ts';
import { PAGE_SIZE } from '../../formats/sizes.ts';
import { canonical } from '../paging/address-space.ts';
import { type GuestMapping, MAPPING_UNIT } from '../paging/mappings/guest-mapping.ts';
import { P, PAGE_MASK_64, PS } from '../paging/schemes.ts';
import type { ShadowLevel } from '../paging/shadow/plan.ts';
import { MAPPING } from '../paging/software-bits.ts';
import { type Answer, linesOf } from './answer.ts';
import { MAX_LINES } from './guest-tables.ts';
import { digits8, digits16 } from './numbers.ts';
import { type EntryShape, entryLine, headLines, type TableEntry } from './table-lines.ts';

/** Entries of a table in each format. */
const NARROW_ENTRIES = 1024;
const WIDE_ENTRIES = 512;
/** Address bits of a 32-bit entry. */
const NARROW_PAGE = 0xffff_f000n;

/** Facts of a level of tables that a dump needs. */
export type DumpedLevel = Pick<ShadowLevel, 'shift' | 'indexMask' | 'wide' | 'bare'>;

/** Tables of the hypervisor, identified by numbers. */
export interface DumpedTables {
  /** Levels from the root on. */
  readonly levels: readonly DumpedLevel[];
  /** The number of the root. */
  readonly root: number;
  /** Value of an entry. */
  entry(table: number, slot: number, wide: boolean): bigint;
  /** The table to which an entry refers; undefined if it is not one of the hypervisor's. */
  child(table: number, slot: number, wide: boolean): number | undefined;
  /** The mapping at a virtual address. */
  mappingAt(address: number): GuestMapping | undefined;
  /** Tables to which several entries refer are shown once. */
  readonly showsOnce: boolean;
}

/** All present entries in the debugger's columns (console.md 3). @param depth levels below the root; 0 shows nothing */
export function dumpTables(tables: DumpedTables, depth: number, { cr3, cr4 }: { cr3: bigint; cr4: bigint }): Answer {
  if (depth === 0) return linesOf([], []);
  const dump = new TableDump(tables);
  dump.table(0, tables.root, 0n, depth);
  const lines = [...headLines(cr3, cr4, dump.isLong), ...dump.lines];
  if (dump.isFull) lines.push(`There is more: ${MAX_LINES} entries are shown`);
  return linesOf(lines, dump.rows);
}

class TableDump {
  readonly lines: string[] = [];
  readonly rows: object[] = [];
  readonly isLong: boolean;
  readonly #tables: DumpedTables;
  readonly #shown = new Set<number>();

  constructor(tables: DumpedTables) {
    this.#tables = tables;
    this.isLong = tables.levels.length === 4;
  }

  get isFull(): boolean {
    return this.lines.length >= MAX_LINES;
  }

  /** @param left levels that may still be entered */
  table(depth: number, table: number, base: bigint, left: number): void {
    this.#shown.add(table);
    const { levels } = this.#tables;
    const { shift, indexMask, wide } = levels[depth];
    for (let slot = 0; slot <= indexMask && !this.isFull; slot++) {
      const value = this.#tables.entry(table, slot, wide);
      const low = Number(value & 0xffff_ffffn);
      if ((low & P) === 0) continue;
      const virtual = this.#canonical(base + (BigInt(slot) << BigInt(shift)));
      const isLast = depth === levels.length - 1;
      this.#add({ virtual, depth, shape: this.#shapeOf(depth, isLast, low), value, wide });
      if (isLast || left === 0) continue;
      if ((low & MAPPING) !== 0 && depth === levels.length - 2) this.#mapping(depth + 1, virtual, value, wide);
      else this.#below(depth + 1, table, slot, virtual, value, left - 1);
    }
  }

  #below(depth: number, table: number, slot: number, virtual: bigint, value: bigint, left: number): void {
    const { wide } = this.#tables.levels[depth - 1];
    const child = this.#tables.child(table, slot, wide);
    if (child === undefined) this.#lost(depth, virtual, value, wide);
    else if (!this.#tables.showsOnce || !this.#shown.has(child)) this.table(depth, child, virtual, left);
  }

  /** Lists pages of the hypervisor, from the mapping's own table, even if the directory refers to another one. */
  #mapping(depth: number, virtual: bigint, value: bigint, wide: boolean): void {
    const address = Number(virtual);
    const mapping = this.#tables.mappingAt(address);
    if (!mapping) {
      this.#lost(depth, virtual, value, wide);
      return;
    }
    const from = address - mapping.start;
    const piece = Math.floor(from / MAPPING_UNIT);
    const tables = mapping.tables[piece];
    const first = Math.floor((from % MAPPING_UNIT) / PAGE_SIZE);
    const frame = wide ? tables.wideFrames[first / WIDE_ENTRIES] : tables.narrowFrame;
    const named = value & (wide ? PAGE_MASK_64 : NARROW_PAGE);
    const own = BigInt(frame * PAGE_SIZE);
    if (named !== own)
      this.#error(
        virtual,
        `Mapping error! PT ${piece} has HCPhysPT=${digits16(own)} not ${digits16(named)} is in the PD.`,
      );
    for (let page = 0; page < (wide ? WIDE_ENTRIES : NARROW_ENTRIES) && !this.isFull; page++) {
      const entry = tables.entry(first + page, wide);
      const at = virtual + BigInt(page * PAGE_SIZE);
      if ((entry & BigInt(P)) !== 0n) this.#add({ virtual: at, depth, shape: 'page', value: entry, wide });
    }
  }

  /** Reports an entry that refers to a table that the page manager does not have. */
  #lost(depth: number, virtual: bigint, value: bigint, wide: boolean): void {
    const left = this.#tables.levels.length - depth;
    const name = ['Page table', 'Page directory', 'Page directory pointer table'][left - 1];
    const host = value & (wide ? PAGE_MASK_64 : NARROW_PAGE);
    const where = wide ? `HCPhys=${digits16(host)}` : hex(host);
    this.#error(virtual, `${name} at ${where} was not found in the page pool!`);
  }

  #error(virtual: bigint, text: string): void {
    this.lines.push(`${this.isLong ? digits16(virtual) : digits8(virtual)} error! ${text}`);
    this.rows.push({ virtual: hex(virtual), error: text });
  }

  #add(entry: TableEntry): void {
    const page = entry.value & (entry.wide ? PAGE_MASK_64 : NARROW_PAGE);
    this.lines.push(entryLine(entry, this.isLong, page));
    this.rows.push({ virtual: hex(entry.virtual), depth: entry.depth, value: hex(entry.value), host: hex(page) });
  }

  #shapeOf(depth: number, isLast: boolean, low: number): EntryShape {
    if (isLast) return 'page';
    const { levels } = this.#tables;
    if (levels[depth].bare) return 'pointer';
    if (depth === levels.length - 2) return (low & PS) !== 0 ? 'large' : 'table';
    return 'upper';
  }

  #canonical(virtual: bigint): bigint {
    return this.isLong ? canonical(virtual, 48) : virtual;
  }
}
