import { UsageError } from '../../formats/errors.ts';
import { NIL_INDEX } from '../paging/pool/pool-pages.ts';
import type { Answer } from './answer.ts';
import type { ConsoleSession } from './session.ts';
import { dumpTables } from './table-dump.ts';

/** The shadow tables of the selected CPU in the debugger's columns. @param depth as in `guestTables` */
export function shadowTables(session: ConsoleSession, depth: number): Answer {
  const { plan, root, registers, paging } = session.shadowCpu();
  if (!plan || root === NIL_INDEX) throw new UsageError('no-shadow', 'Cannot show shadow tables: the CPU runs on none');
  const { pool, rawMode } = paging;
  return dumpTables(
    {
      levels: plan.levels,
      root,
      entry: (table, slot, wide) =>
        (BigInt(pool.tables.high(table, slot, wide)) << 32n) | BigInt(pool.tables.low(table, slot, wide) >>> 0),
      child(table, slot) {
        const child = pool.child(table, slot);
        return pool.kindOf(child) ? child : undefined;
      },
      mappingAt: (address) => rawMode?.mappings.at(address),
      showsOnce: false,
    },
    depth,
    registers,
  );
}
