import { UsageError } from '../../formats/errors.ts';
import { type GuestPhys, PAGE_SIZE } from '../../formats/sizes.ts';
import { Turns } from '../../formats/turns.ts';
import { type HierarchyEntry, hierarchyOf } from '../paging/hierarchy.ts';
import { type Answer, linesOf } from './answer.ts';
import { digits16 } from './numbers.ts';
import type { ConsoleSession } from './session.ts';
import { type EntryShape, entryLine, headLines } from './table-lines.ts';

/** Maximum number of lines shown: tables that contain themselves have no end. */
export const MAX_LINES = 100_000;

/**
 * The guest's page tables in the debugger's columns, each level below its entry. @param depth levels below the root; 0
 * shows nothing, as in VirtualBox @param wanted a page; a line tells where the tables map it
 */
export async function guestTables(session: ConsoleSession, depth: number, wanted?: GuestPhys): Promise<Answer> {
  if (depth === 0) return linesOf([], []);
  const registers = session.machine.cpus[session.cpu].registers;
  const space = session.space();
  const { walker } = space;
  if (!registers || !walker) throw new UsageError('no-paging', 'Cannot show page tables: the CPU has paging off');
  const isLong = walker.scheme.name === 'long';
  const lines = headLines(registers.cr3, registers.cr4, isLong);
  const limits = { levels: depth + 1, maxEntries: MAX_LINES };
  const { entries, complete } = await hierarchyOf(space, limits, session.signal);
  const turns = Turns.rare(session.signal);
  for (const entry of entries) {
    if (turns.areDue) await turns.give();
    const shape = shapeOf(entry, walker.scheme.name);
    lines.push(entryLine({ ...entry, shape, wide: walker.scheme.entrySize === 8 }, isLong, BigInt(entry.gcPhys), true));
    if (entry.isLost)
      lines.push(`${' '.repeat(isLong ? 16 : 8)} error! The table at ${digits16(entry.gcPhys)} is in no memory!`);
    if (shape === 'page' && entry.gcPhys === wanted) lines.push(foundLine(session, entry));
  }
  if (!complete) lines.push(`There is more: ${MAX_LINES} entries are shown`);
  const rows = entries.map(({ virtual, name, value, kind, gcPhys }) => ({
    virtual: `0x${virtual.toString(16)}`,
    level: name,
    value: `0x${value.toString(16)}`,
    kind,
    physical: `0x${gcPhys.toString(16)}`,
  }));
  return linesOf(lines, rows);
}

/** The line for the wanted page, with the flags of the shadow entry, 0 without one. */
function foundLine(session: ConsoleSession, { gcPhys, virtual }: HierarchyEntry): string {
  return `Found ${digits16(gcPhys)} at ${digits16(virtual)} -> flags=${session.shadowFlagsOf(virtual).toString(16)}`;
}

export function shapeOf(
  { kind, depth, name, span }: Pick<HierarchyEntry, 'kind' | 'depth' | 'name' | 'span'>,
  scheme: string,
): EntryShape {
  if (scheme === 'pae' && depth === 0) return 'pointer';
  if (kind === 'page') return span === PAGE_SIZE ? 'page' : 'large';
  return name === 'PML4' || name === 'PDPT' ? 'upper' : name === 'PT' ? 'page' : 'table';
}
