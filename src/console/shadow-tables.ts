import { UsageError } from '../../formats/errors.ts';
import { PAGE_SIZE } from '../../formats/sizes.ts';
import { MAPPING_UNIT } from '../paging/mappings/guest-mapping.ts';
import { NIL_INDEX } from '../paging/pool/pool-pages.ts';
import { P, PAGE_MASK_64, PS } from '../paging/schemes.ts';
import type { ShadowPlan } from '../paging/shadow/plan.ts';
import type { ShadowCpu } from '../paging/shadow/shadow-cpu.ts';
import { MAPPING } from '../paging/software-bits.ts';
import { type Answer, linesOf } from './answer.ts';
import { MAX_LINES } from './guest-tables.ts';
import { digits8, digits16 } from './numbers.ts';
import type { ConsoleSession } from './session.ts';
import { type EntryShape, entryLine, headLines, type TableEntry } from './table-lines.ts';

/** Entries of a table in each format. */
const NARROW_ENTRIES = 1024;
const WIDE_ENTRIES = 512;
/** What the address in an entry of 32 bits is masked with. */
const NARROW_PAGE = 0xffff_f000n;

/** The shadow tables of the selected CPU in the debugger's columns. @param depth as in `guestTables` */
export function shadowTables(session: ConsoleSession, depth: number): Answer {
  if (depth === 0) return linesOf([], []);
  const cpu = session.shadowCpu();
  if (!cpu.plan || cpu.root === NIL_INDEX)
    throw new UsageError('no-shadow', 'Cannot show shadow tables: the CPU runs on none');
  const isLong = cpu.plan.levels.length === 4;
  const dump = new ShadowDump(cpu, cpu.plan, isLong);
  dump.table(0, cpu.root, 0n, depth);
  const { cr3, cr4 } = cpu.registers;
  const lines = [...headLines(cr3, cr4, isLong), ...dump.lines];
  if (dump.isFull) lines.push(`There is more: ${MAX_LINES} entries are shown`);
  return linesOf(lines, dump.rows);
}

class ShadowDump {
  readonly lines: string[] = [];
  readonly rows: object[] = [];
  readonly #cpu: ShadowCpu;
  readonly #plan: ShadowPlan;
  readonly #isLong: boolean;

  constructor(cpu: ShadowCpu, plan: ShadowPlan, isLong: boolean) {
    this.#cpu = cpu;
    this.#plan = plan;
    this.#isLong = isLong;
  }

  get isFull(): boolean {
    return this.lines.length >= MAX_LINES;
  }

  /** @param left levels that may still be entered */
  table(depth: number, table: number, base: bigint, left: number): void {
    const { pool } = this.#cpu.paging;
    const level = this.#plan.levels[depth];
    for (let slot = 0; slot <= level.indexMask && !this.isFull; slot++) {
      const low = pool.tables.low(table, slot, level.wide);
      if ((low & P) === 0) continue;
      const value = (BigInt(pool.tables.high(table, slot, level.wide)) << 32n) | BigInt(low >>> 0);
      const virtual = this.#canonical(base + (BigInt(slot) << BigInt(level.shift)));
      const isLast = depth === this.#plan.levels.length - 1;
      this.#add({ virtual, depth, shape: this.#shapeOf(depth, isLast, low), value, wide: level.wide });
      if (isLast || left === 0) continue;
      if ((low & MAPPING) !== 0) this.#mapping(depth + 1, virtual, value, level.wide);
      else if (pool.kindOf(pool.child(table, slot))) this.table(depth + 1, pool.child(table, slot), virtual, left - 1);
      else this.#lost(depth + 1, virtual, value, level.wide);
    }
  }

  /** Pages of the hypervisor: what the mapping's own table has, whatever the directory names. */
  #mapping(depth: number, virtual: bigint, value: bigint, wide: boolean): void {
    const address = Number(virtual);
    const mapping = this.#cpu.paging.rawMode?.mappings.at(address);
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

  /** The table that an entry names is none that the manager has. */
  #lost(depth: number, virtual: bigint, value: bigint, wide: boolean): void {
    const left = this.#plan.levels.length - depth;
    const name = ['Page table', 'Page directory', 'Page directory pointer table'][left - 1];
    const host = value & (wide ? PAGE_MASK_64 : NARROW_PAGE);
    const where = wide ? `HCPhys=${digits16(host)}` : `0x${host.toString(16)}`;
    this.#error(virtual, `${name} at ${where} was not found in the page pool!`);
  }

  #error(virtual: bigint, text: string): void {
    this.lines.push(`${this.#isLong ? digits16(virtual) : digits8(virtual)} error! ${text}`);
    this.rows.push({ virtual: `0x${virtual.toString(16)}`, error: text });
  }

  #add(entry: TableEntry): void {
    const page = entry.value & (entry.wide ? PAGE_MASK_64 : NARROW_PAGE);
    this.lines.push(entryLine(entry, this.#isLong, page));
    const text = (value: bigint) => `0x${value.toString(16)}`;
    this.rows.push({ virtual: text(entry.virtual), depth: entry.depth, value: text(entry.value), host: text(page) });
  }

  #shapeOf(depth: number, isLast: boolean, low: number): EntryShape {
    if (isLast) return 'page';
    if (this.#plan.levels[depth].bare) return 'pointer';
    if (depth === this.#plan.levels.length - 2) return (low & PS) !== 0 ? 'large' : 'table';
    return 'upper';
  }

  #canonical(virtual: bigint): bigint {
    return this.#isLong ? BigInt.asUintN(64, BigInt.asIntN(48, virtual)) : virtual;
  }
}
