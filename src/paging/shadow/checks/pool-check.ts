import { hex } from '../../../../formats/errors.ts';
import { PAGE_SIZE } from '../../../../formats/sizes.ts';
import { HandlerState } from '../../../pgm/pages/page-states.ts';
import { P, RW } from '../../schemes.ts';
import type { ShadowPaging } from '../shadow-paging.ts';
import { activeState } from '../sync-pages.ts';

/** Conditions of every table of the pool, hooked or only cached. */
export const POOL_CONDITIONS = {
  present: 'the number of present entries is wrong',
  users: 'an entry and the list of users disagree',
  watch: 'the guest table is not watched',
  host: 'an entry maps another page of the host than its guest page has',
  tracking: 'the lists of tables that map a page are wrong',
  'watched-writable': 'a watched guest table can be written',
  'handled-writable': 'a page with active handlers can be written',
} as const;
/** A condition that must hold in a pool of shadow tables. */
export type PoolCondition = keyof typeof POOL_CONDITIONS;

/** A condition that a table of the pool breaks. */
export interface PoolBreach {
  /** The condition. */
  condition: PoolCondition;
  /** Index of the table in the pool. */
  table: number;
  /** Number of the entry; -1 for the table as a whole. */
  slot: number;
  /** One line for people. */
  message: string;
}

/** Checks all tables of a pool (the debugger's `pgmpoolcheck`, for every kind of table). */
export function checkPool(paging: ShadowPaging): PoolBreach[] {
  const { pool, monitor } = paging;
  const breaches: PoolBreach[] = [];
  const report = (condition: PoolCondition, table: number, slot: number): void => {
    breaches.push({
      condition,
      table,
      slot,
      message: `table ${table} (${pool.kindOf(table)?.name}), entry ${hex(slot)}: ${POOL_CONDITIONS[condition]}`,
    });
  };
  const mapped = new Map<number, number[]>();
  for (const table of pool.inUse()) {
    const kind = pool.kindOf(table);
    const wide = pool.isWide(table);
    let present = 0;
    for (let slot = 0; slot < (wide ? 512 : 1024); slot++) {
      const low = pool.tables.low(table, slot, wide);
      if ((low & P) === 0) continue;
      present++;
      if (kind?.holds === 'tables') {
        if (pool.isMapping(table, slot)) continue;
        if (!pool.usersOf(low >>> 12).includes(table * 1024 + slot)) report('users', table, slot);
        continue;
      }
      const frame = pool.tables.frame(table, slot);
      mapped.set(frame, [...(mapped.get(frame) ?? []), table]);
      const range = paging.memory.ranges.find(frame * PAGE_SIZE);
      const page = range?.pageOf(frame * PAGE_SIZE) ?? 0;
      const host = (pool.tables.high(table, slot, wide) & 0xfffff) * 2 ** 20 + (low >>> 12);
      if (host !== range?.pageId[page]) report('host', table, slot);
      if ((low & RW) === 0) continue;
      if (monitor.isWatched(frame)) report('watched-writable', table, slot);
      if (
        range &&
        Math.max(activeState(range.handler[page]), paging.virtualHandlers.stateOf(frame)) >= HandlerState.WRITE
      )
        report('handled-writable', table, slot);
    }
    if (present !== pool.tables.present[table]) report('present', table, 0);
    if (kind?.guest && !monitor.isWatched(Math.floor(pool.key[table] / PAGE_SIZE))) report('watch', table, 0);
  }
  for (const frame of new Set([...mapped.keys(), ...pool.tracking.frames()])) {
    const listed = pool.tracking.tablesOf(frame);
    const tables = mapped.get(frame) ?? [];
    if (listed !== 'overflowed' && [...listed].sort().join() !== tables.sort().join())
      report('tracking', tables[0] ?? listed[0] ?? 0, 0);
  }
  return breaches;
}
