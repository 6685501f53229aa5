import type { GuestPhys, GuestVirt } from '../../formats/sizes.ts';
import type { AddressSpace } from './address-space.ts';
import type { TableName } from './schemes.ts';
import { type EntryKind, type VisitLimits, visitTables } from './visit-tables.ts';
import { tableAddress } from './walker.ts';

/** One present entry of a guest's page tables. */
export interface HierarchyEntry {
  /** First address that the entry covers. */
  virtual: GuestVirt;
  /** Number of levels above the entry. */
  depth: number;
  /** Kind of the entry's table. */
  name: TableName;
  /** All of the entry's bits. */
  value: bigint;
  /** Kind of the entry. */
  kind: EntryKind;
  /** Address of the page or table to which the entry leads. */
  gcPhys: GuestPhys;
  /** Number of bytes that the entry covers. */
  span: number;
  /** The table is outside all memory. */
  isLost?: boolean;
}

/** Entries of page tables, from the root on. */
export interface Hierarchy {
  /** In order of addresses, each entry before its children. */
  entries: HierarchyEntry[];
  /** False if a limit ended the list. */
  complete: boolean;
}

/** Maximum number of entries of a list: some 200 MiB of objects. */
const MAX_ENTRIES = 1 << 20;

/**
 * The page tables of a CPU, entry by entry. Tables that contain themselves are followed as a processor does, up to the
 * limits. Other work gets turns, and can end this. @throws InterruptedError
 */
export async function hierarchyOf(
  space: AddressSpace,
  limits: VisitLimits & { maxEntries?: number } = {},
  signal?: AbortSignal,
): Promise<Hierarchy> {
  const { walker } = space;
  const { maxEntries = MAX_ENTRIES } = limits;
  const entries: HierarchyEntry[] = [];
  if (!walker) return { entries, complete: true };
  let overflow = false;
  const complete = await visitTables(
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
    signal,
  );
  return { entries, complete: complete && !overflow };
}
