import type { GuestPhys, GuestVirt } from '../../formats/sizes.ts';
import type { AddressSpace } from './address-space.ts';
import type { TableName } from './schemes.ts';
import { type EntryKind, type VisitLimits, visitTables } from './visit-tables.ts';
import { tableAddress } from './walker.ts';

/** One present entry of a guest's page tables. */
export interface HierarchyEntry {
  /** First address that it covers. */
  virtual: GuestVirt;
  /** Levels above it. */
  depth: number;
  /** The table that it stands in. */
  name: TableName;
  /** All of the entry's bits. */
  value: bigint;
  /** What the entry leads to. */
  kind: EntryKind;
  /** The page, or the table, that it leads to. */
  gcPhys: GuestPhys;
  /** Bytes that it covers. */
  span: number;
  /** The table that it names is in no memory. */
  isLost?: boolean;
}

/** Entries of page tables, from the root on. */
export interface Hierarchy {
  /** In order of addresses, an entry before what lies below it. */
  entries: HierarchyEntry[];
  /** False when a limit ended it. */
  complete: boolean;
}

/** More entries are not listed: some 200 MiB of objects. */
const MAX_ENTRIES = 1 << 20;

/**
 * The page tables of a CPU, entry by entry. Tables that name themselves are followed as a processor would, up to the
 * limits.
 */
export function hierarchyOf(space: AddressSpace, limits: VisitLimits & { maxEntries?: number } = {}): Hierarchy {
  const { walker } = space;
  const { maxEntries = MAX_ENTRIES } = limits;
  const entries: HierarchyEntry[] = [];
  if (!walker) return { entries, complete: true };
  let overflow = false;
  const complete = visitTables(
    space,
    {
      entry(level, depth, linear, low, high, kind) {
        overflow ||= entries.length >= maxEntries;
        if (overflow) return;
        const gcPhys = kind === 'page' ? walker.pageBase(level, low, high) : tableAddress(low, high);
        const value = (BigInt(high) << 32n) | BigInt(low);
        entries.push({
          virtual: space.virtual(linear),
          depth,
          name: walker.scheme.levels[depth].name,
          value,
          kind,
          gcPhys,
          span: level.span,
        });
      },
      noTable(depth) {
        const last = entries.at(-1);
        if (last && last.depth === depth - 1) last.isLost = true;
      },
      isEnough: () => overflow,
    },
    limits,
  );
  return { entries, complete: complete && !overflow };
}
