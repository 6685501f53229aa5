import type { Cell } from '../terminal/table.ts';
import { indent, line, lines, type TerminalText } from '../terminal/terminal-text.ts';

/** Names with their values, one below the other; unknown values are left out. */
export function factLines(rows: readonly (readonly [string, Cell])[]): TerminalText {
  const known = rows.filter(([, value]) => value !== undefined && value !== '');
  const width = Math.max(...known.map(([name]) => name.length));
  return indent(lines(known.map(([name, value = '']) => line`${name.padEnd(width)}  ${value}`)));
}
