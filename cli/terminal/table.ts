import { createRequire } from 'node:module';
import type TableClass from 'cli-table3';
import { dim } from './styles.ts';
import { indent, line, type Piece, shortened, TerminalText } from './terminal-text.ts';

const BARE = { top: '', 'top-mid': '', 'top-left': '', 'top-right': '', bottom: '', 'bottom-mid': '', 'bottom-left': '', 'bottom-right': '' };
const NO_LINES = { ...BARE, left: '', 'left-mid': '', mid: '', 'mid-mid': '', right: '', 'right-mid': '', middle: '  ' };

/** Names are of a few words; one that goes on must not make a table unreadable. */
const LONGEST_CELL = 120;

export type Cell = Piece | undefined;

/** A table without lines: columns of numbers to the right. */
export function table(head: readonly string[], rows: readonly (readonly Cell[])[]): TerminalText {
  const aligns = head.map((_, column) =>
    rows.length > 0 && rows.every((row) => typeof row[column] === 'number' || row[column] === undefined) ? 'right' : 'left',
  );
  // Loaded when a table is wanted, for the sake of commands that print none.
  const Table = createRequire(import.meta.url)('cli-table3') as typeof TableClass;
  const style = { head: [], border: [], 'padding-left': 0, 'padding-right': 0 };
  const out = new Table({ head: head.map((cell) => dim(cell).toString()), chars: NO_LINES, style, colAligns: aligns as ('left' | 'right')[] });
  out.push(...rows.map((row) => row.map(cellText)));
  const laidOut = out.toString().split('\n');
  return indent(TerminalText.trusted(laidOut.map((row) => row.trimEnd()).join('\n')));
}

function cellText(cell: Cell = ''): string {
  return line`${typeof cell === 'string' ? shortened(cell, LONGEST_CELL) : cell}`.toString();
}
