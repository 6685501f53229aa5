import { createRequire } from 'node:module';
import { stripVTControlCharacters } from 'node:util';
import type TableClass from 'cli-table3';
import { type ColumnGroup, columnNeeds, GAP, layOut } from './column-widths.ts';
import { terminalColumns } from './print.ts';
import { dim } from './styles.ts';
import { indent, joined, line, type Piece, shortened, TerminalText } from './terminal-text.ts';

const BARE = { top: '', 'top-mid': '', 'top-left': '', 'top-right': '', bottom: '', 'bottom-mid': '', 'bottom-left': '', 'bottom-right': '' };
const NO_LINES = { ...BARE, left: '', 'left-mid': '', mid: '', 'mid-mid': '', right: '', 'right-mid': '', middle: ' '.repeat(GAP) };
const INDENT = indent('x').toString().length - 1;

/** Names are of a few words; one that goes on must not make a table unreadable. */
const LONGEST_CELL = 120;

export type Cell = Piece | undefined;

/** A table without lines, as wide as the terminal at most: columns of numbers to the right. */
export function table(head: readonly string[], rows: readonly (readonly Cell[])[], columns = terminalColumns()): TerminalText {
  const texts = [head.map((cell) => dim(cell).toString()), ...rows.map((row) => head.map((_, column) => cellText(row[column])))];
  const isNumeric = head.map((_, column) => rows.length > 0 && rows.every((row) => typeof row[column] === 'number' || row[column] === undefined));
  const needs = columnNeeds(texts.map((row) => row.map(stripVTControlCharacters)));
  const groups = layOut(needs, (columns ?? Number.POSITIVE_INFINITY) - INDENT);
  return joined(
    groups.map((group) => groupText(texts, isNumeric, group)),
    '\n',
  );
}

function groupText([head, ...rows]: readonly (readonly string[])[], isNumeric: readonly boolean[], { columns, widths }: ColumnGroup): TerminalText {
  // Loaded when a table is wanted, for the sake of commands that print none.
  const Table = createRequire(import.meta.url)('cli-table3') as typeof TableClass;
  const pick = <T>(row: readonly T[]) => columns.map((column) => row[column]);
  const out = new Table({
    head: pick(head),
    chars: NO_LINES,
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
    colAligns: pick(isNumeric).map((is) => (is ? 'right' : 'left')),
    colWidths: widths,
    wordWrap: true,
  });
  out.push(...rows.map(pick));
  const laidOut = out.toString().split('\n');
  return indent(TerminalText.trusted(laidOut.map((row) => row.trimEnd()).join('\n')));
}

function cellText(cell: Cell = ''): string {
  return line`${typeof cell === 'string' ? shortened(cell, LONGEST_CELL) : cell}`.toString();
}
