import { UsageError } from '../../formats/errors.ts';
import { NIL_INDEX } from '../paging/pool/pool-pages.ts';
import { P, PAGE_MASK_64, PS } from '../paging/schemes.ts';
import type { ShadowPlan } from '../paging/shadow/plan.ts';
import type { ShadowCpu } from '../paging/shadow/shadow-cpu.ts';
import { type Answer, linesOf } from './answer.ts';
import { MAX_LINES } from './guest-tables.ts';
import type { ConsoleSession } from './session.ts';
import { type EntryShape, entryLine, headLines, type TableEntry } from './table-lines.ts';

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
      if (!isLast && left > 0) this.table(depth + 1, pool.child(table, slot), virtual, left - 1);
    }
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
