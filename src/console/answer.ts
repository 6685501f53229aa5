import type { SavkitError } from '../../formats/errors.ts';

/** What a command of the console gives. */
export interface Answer {
  /** What people read; lines without the last line feed. */
  text: string;
  /** The same for programs, where it is a table. */
  rows?: readonly object[];
  /** Why the command could not be carried out; `text` says so, too. */
  error?: SavkitError;
}

/** A name from a state may hold line feeds: that is no new line of the answer. */
export function linesOf(lines: readonly string[], rows?: readonly object[]): Answer {
  return { text: lines.map((line) => line.replaceAll('\n', '?')).join('\n'), rows };
}
