import { createRequire } from 'node:module';
import { styleText } from 'node:util';
import type TableClass from 'cli-table3';

const BARE = { top: '', 'top-mid': '', 'top-left': '', 'top-right': '', bottom: '', 'bottom-mid': '', 'bottom-left': '', 'bottom-right': '' };
const NO_LINES = { ...BARE, left: '', 'left-mid': '', mid: '', 'mid-mid': '', right: '', 'right-mid': '', middle: '  ' };

export type Cell = string | number | undefined;

/** A table without lines: columns of numbers to the right. Control characters of hostile names don't reach the terminal. */
export function table(head: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const aligns = head.map((_, column) =>
    rows.length > 0 && rows.every((row) => typeof row[column] === 'number' || row[column] === undefined) ? 'right' : 'left',
  );
  // Loaded when a table is wanted, for the sake of commands that print none.
  const Table = createRequire(import.meta.url)('cli-table3') as typeof TableClass;
  const style = { head: [], border: [], 'padding-left': 0, 'padding-right': 0 };
  const out = new Table({ head: head.map((cell) => dim(cell)), chars: NO_LINES, style, colAligns: aligns as ('left' | 'right')[] });
  out.push(...rows.map((row) => row.map((cell) => printable(String(cell ?? '')))));
  return indent(
    out
      .toString()
      .split('\n')
      .map((line) => line.trimEnd())
      .join('\n'),
  );
}

export function indent(text: string): string {
  return text.replace(/^(?=.)/gm, '  ');
}

/** Text from a file, or from another host, safe to print: what would steer a terminal, or the direction of writing, becomes `?`. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}]/gu, '?');
}

/** The same for text of several lines. */
export function printableLines(text: string): string {
  return text.split('\n').map(printable).join('\n');
}

/** JSON that is safe to print, too: it means the same. */
export function printableJson(json: string): string {
  return json.replace(/[\x7f-\x9f\p{Cf}]/gu, (character) =>
    Array.from({ length: character.length }, (_, i) => `\\u${character.charCodeAt(i).toString(16).padStart(4, '0')}`).join(''),
  );
}

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];

/** `16 MiB`, `1.8 MiB`, `74 B`. */
export function sizeText(bytes: number): string {
  let value = bytes;
  let unit = 0;
  for (; value >= 1024 && unit < UNITS.length - 1; unit++) value /= 1024;
  return `${Number.isInteger(value) ? value : value.toFixed(value < 10 ? 2 : 1)} ${UNITS[unit]}`;
}

export function heading(text: string): string {
  return paint('bold', text);
}
export function dim(text: string): string {
  return paint('dim', text);
}
export function good(text: string): string {
  return paint('green', text);
}
export function bad(text: string): string {
  return paint('red', text);
}

/** Colour on a terminal only, and not with NO_COLOR (https://no-color.org). */
function paint(format: Parameters<typeof styleText>[0], text: string): string {
  return process.stdout.isTTY && !process.env.NO_COLOR ? styleText(format, text) : text;
}
