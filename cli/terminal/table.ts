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

/** Maximum number of characters of a cell: a very long name must not make a table unreadable. */
const LONGEST_CELL = 120;

export type Cell = Piece | undefined;

/** Maximum number of rows that are shown: nobody reads more, and laying them out takes a second. */
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
  const plain = texts.map((row) => row.map(stripVTControlCharacters));
  const groups = layOut(columnNeeds(plain), (columns ?? Number.POSITIVE_INFINITY) - INDENT);
  const parts = groups.map((group) => indent(TerminalText.trusted(linesOf(texts, plain, isNumeric, group).join('\n'))));
  if (all.length > rows.length) parts.push(indent(`… and ${all.length - rows.length} more, which --json lists`));
  return joined(parts, '\n');
}

/** Rows laid out together: the library's time grows with their square. */
const ROWS_AT_ONCE = 256;
/** Characters that are one column wide in every terminal. */
const NARROW = /^[ -~×–…→↔±µ≥≤−“”’]*$/;

/** Sets rows: by the library, which takes 100 times as long, only where text has to be broken or measured. */
function linesOf(
  texts: readonly (readonly string[])[],
  plain: readonly (readonly string[])[],
  isNumeric: readonly boolean[],
  group: ColumnGroup,
): string[] {
  const { columns, widths } = group;
  const isSimple = (row: readonly string[]) =>
    columns.every((column, i) => {
      const cell = row[column];
      return cell.length <= widths[i] && NARROW.test(cell) && cell.trim() === cell;
    });
  const lines: string[] = [];
  let hard: (readonly string[])[] = [];
  const layOutHard = () => {
    if (hard.length > 0) lines.push(...laidOut(hard, isNumeric, group));
    hard = [];
  };
  for (const [i, row] of texts.entries()) {
    if (!isSimple(plain[i])) {
      hard.push(row);
      if (hard.length === ROWS_AT_ONCE) layOutHard();
      continue;
    }
    layOutHard();
    const cells = columns.map((column, k) => {
      const padding = ' '.repeat(widths[k] - plain[i][column].length);
      return isNumeric[column] ? padding + row[column] : row[column] + padding;
    });
    lines.push(cells.join(' '.repeat(GAP)).trimEnd());
  }
  layOutHard();
  return lines;
}

function laidOut(
  rows: readonly (readonly string[])[],
  isNumeric: readonly boolean[],
  { columns, widths }: ColumnGroup,
): string[] {
  // The library is loaded when a table needs it, for the sake of commands that print none.
  const Table = createRequire(import.meta.url)('cli-table3') as typeof TableClass;
  const pick = <T>(row: readonly T[]) => columns.map((column) => row[column]);
  const out = new Table({
    chars: NO_LINES,
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
    colAligns: pick(isNumeric).map((is) => (is ? 'right' : 'left')),
    colWidths: widths,
    wordWrap: true,
  });
  out.push(...rows.map(pick));
  return out
    .toString()
    .split('\n')
    .map((row) => row.trimEnd());
}

function cellText(cell: Cell = ''): string {
  return line`${typeof cell === 'string' ? shortened(cell, LONGEST_CELL) : cell}`.toString();
}
