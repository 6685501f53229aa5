import type { AddressSpace, Translation } from '../../src/paging/address-space.ts';
import type { HierarchyEntry } from '../../src/paging/hierarchy.ts';
import type { VirtualRun } from '../../src/paging/mappings-of.ts';
import { MODE_NAMES } from '../../src/paging/modes.ts';
import { sizeText } from '../terminal/size-text.ts';
import { bad, dim } from '../terminal/styles.ts';
import { table } from '../terminal/table.ts';
import { line, lines, type TerminalText } from '../terminal/terminal-text.ts';

/**
 * Flags of an entry by bit, as letters: present, writable, user, write-through, cache off, accessed, dirty, large,
 * global, no execution.
 */
const FLAGS: readonly [bit: bigint, letter: string][] = [
  [0n, 'P'],
  [1n, 'W'],
  [2n, 'U'],
  [3n, 'T'],
  [4n, 'C'],
  [5n, 'A'],
  [6n, 'D'],
  [7n, 'S'],
  [8n, 'G'],
  [63n, 'X'],
];

export const FLAGS_LEGEND = lines([
  dim('P present, W writable, U user, T write-through, C cache off, A accessed,'),
  dim('D dirty, S large page (in the last table: PAT), G global, X no execution'),
]);

function entryFlags(value: bigint): string {
  return FLAGS.map(([bit, letter]) => ((value >> bit) & 1n ? letter : '-')).join('');
}

export function hexText(value: bigint | number): string {
  return `0x${value.toString(16)}`;
}

export function rightsText({
  writable,
  user,
  executable,
}: Pick<VirtualRun, 'writable' | 'user' | 'executable'>): string {
  return `${writable ? 'w' : '-'}${user ? 'u' : '-'}${executable ? 'x' : '-'}`;
}

const FAILURES: Record<Exclude<Translation['status'], 'mapped'>, string> = {
  'not-present': 'not present',
  'reserved-bit': 'a reserved bit is set',
  'bad-address': 'the table is in no memory',
  'not-canonical': 'the address is not canonical',
};

/** A page walk, entry by entry, and its result. */
export function walkText(address: bigint, found: Translation, space: AddressSpace): TerminalText {
  const rows = found.entries.map(({ name, address: at, value }) => [
    name,
    at === undefined ? 'latched' : hexText(at),
    hexText(value),
    entryFlags(value),
  ]);
  const steps = rows.length > 0 ? [table(['Level', 'Entry at', 'Entry', 'Flags'], rows)] : [];
  if (found.status !== 'mapped')
    return lines([line`${hexText(address)} ${bad(FAILURES[found.status])} (${MODE_NAMES[space.mode]})`, ...steps]);
  const where = `${hexText(found.gcPhys)}  ${sizeText(found.pageSize)} page, ${rightsText(found)}`;
  return lines([line`${hexText(address)} → ${where} (${MODE_NAMES[space.mode]})`, ...steps]);
}

/** The tables as lines, each level indented. There may be a million of them, so this is no `table`. */
export function hierarchyText(entries: readonly HierarchyEntry[]): TerminalText {
  const shown = entries.map(({ virtual, depth, name, value, kind, gcPhys, span, isLost }) => {
    const target =
      kind === 'reserved-bit'
        ? 'a reserved bit is set'
        : isLost
          ? 'the table is in no memory'
          : kind === 'page'
            ? `${sizeText(span)} page`
            : '';
    return (
      `  ${hexText(virtual).padEnd(18)}  ${`${' '.repeat(depth)}${name}`.padEnd(8)}${entryFlags(value)}  ` +
      `${hexText(gcPhys).padEnd(14)} ${target}`
    ).trimEnd();
  });
  return lines(shown);
}

export function runsText(runs: readonly VirtualRun[]): TerminalText {
  const shown = runs.map(
    (run) =>
      `  ${hexText(run.virtual).padEnd(18)}  ` +
      `${hexText(run.gcPhys).padEnd(14)}${sizeText(run.size).padStart(10)}  ` +
      `${sizeText(run.pageSize).padStart(6)}  ${rightsText(run)}`,
  );
  return lines(shown);
}

export const RUNS_LEGEND = dim('  w writable, u user, x executable');
export const RUNS_HEAD = dim(
  `  ${'Virtual'.padEnd(18)}  ${'Physical'.padEnd(14)}${'Size'.padStart(10)}  ${'Pages'.padStart(6)}  Rights`,
);
export const HIERARCHY_HEAD = dim(
  `  ${'Virtual'.padEnd(18)}  ${'Level'.padEnd(8)}${'Flags'.padEnd(10)}  ${'Leads to'.padEnd(14)} `.trimEnd(),
);
