import { createRequire } from 'node:module';
import { stripVTControlCharacters } from 'node:util';
import type TableClass from 'cli-table3';
import { type ColumnGroup, columnNeeds, GAP, layOut } from './column-widths.ts';
import { terminalColumns } from './print.ts';
import { dim } from './styles.ts';
import { indent, joined, line, type Piece, shortened, TerminalText } from './terminal-text.ts';

const BARE = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
};
const NO_LINES = {
  ...BARE,
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: ' '.repeat(GAP),
};
const INDENT = indent('x').toString().length - 1;

/** Names are of a few words; one that goes on must not make a table unreadable. */
const LONGEST_CELL = 120;

export type Cell = Piece | undefined;

/** Nobody reads more, and to lay them out takes a second. */
const MOST_ROWS = 10_000;

/** A table without lines, as wide as the terminal at most: columns of numbers to the right. */
export function table(
  head: readonly string[],
  all: readonly (readonly Cell[])[],
  columns = terminalColumns(),
): TerminalText {
  const rows = all.slice(0, MOST_ROWS);
  const texts = [
    head.map((cell) => dim(cell).toString()),
    ...rows.map((row) => head.map((_, column) => cellText(row[column]))),
  ];
  const isNumeric = head.map(
    (_, column) => rows.length > 0 && rows.every((row) => typeof row[column] === 'number' || row[column] === undefined),
  );
  const needs = columnNeeds(texts.map((row) => row.map(stripVTControlCharacters)));
  const groups = layOut(needs, (columns ?? Number.POSITIVE_INFINITY) - INDENT);
  const parts = groups.map((group) => groupText(texts, isNumeric, group));
  if (all.length > rows.length) parts.push(indent(`… and ${all.length - rows.length} more, which --json lists`));
  return joined(parts, '\n');
}
/** The library takes time by the square of these. */
const ROWS_AT_ONCE = 256;

function groupText(
  [head, ...rows]: readonly (readonly string[])[],
  isNumeric: readonly boolean[],
  group: ColumnGroup,
): TerminalText {
  const texts = [rowsText(head, rows.slice(0, ROWS_AT_ONCE), isNumeric, group)];
  for (let at = ROWS_AT_ONCE; at < rows.length; at += ROWS_AT_ONCE)
    texts.push(rowsText([], rows.slice(at, at + ROWS_AT_ONCE), isNumeric, group));
  return indent(TerminalText.trusted(texts.join('\n')));
}

function rowsText(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  isNumeric: readonly boolean[],
  { columns, widths }: ColumnGroup,
): string {
  // Loaded when a table is wanted, for the sake of commands that print none.
  const Table = createRequire(import.meta.url)('cli-table3') as typeof TableClass;
  const pick = <T>(row: readonly T[]) => columns.map((column) => row[column]);
  const out = new Table({
    head: head.length > 0 ? pick(head) : [],
    chars: NO_LINES,
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
    colAligns: pick(isNumeric).map((is) => (is ? 'right' : 'left')),
    colWidths: widths,
    wordWrap: true,
  });
  out.push(...rows.map(pick));
  const laidOut = out.toString().split('\n');
  return laidOut.map((row) => row.trimEnd()).join('\n');
}

function cellText(cell: Cell = ''): string {
  return line`${typeof cell === 'string' ? shortened(cell, LONGEST_CELL) : cell}`.toString();
}
