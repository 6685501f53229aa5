import type { SavkitError } from '../../formats/errors.ts';

/** Result of a command of the console. */
export interface Answer {
  /** The answer for people; lines without the last line feed. */
  text: string;
  /** A table's rows, for programs. */
  rows?: readonly object[];
  /** Reason why the command could not be carried out; `text` says so, too. */
  error?: SavkitError;
}

/** An answer of lines. Line feeds within a line, which may be in names from a state, become `?`. */
export function linesOf(lines: readonly string[], rows?: readonly object[]): Answer {
  return { text: lines.map((line) => line.replaceAll('\n', '?')).join('\n'), rows };
}
