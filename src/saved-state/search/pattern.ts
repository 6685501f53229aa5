import { runInNewContext } from 'node:vm';
import { InterruptedError, UsageError } from '../../../formats/errors.ts';
import { KIB } from '../../../formats/sizes.ts';
import { chosenFrom } from '../../../formats/values/chosen-from.ts';

/** Longest reported match in bytes; longer ones are cut. */
export const LONGEST_MATCH = 64 * KIB;

/** A match in a piece of memory. */
export interface Match {
  /** Offset of the first byte in the piece. */
  offset: number;
  /** Length in bytes. */
  length: number;
}

/** A pattern to search for. */
export interface Pattern {
  /** A match may start within another one. */
  overlaps: boolean;
  /** The first matches in a piece of memory, ascending. @throws UsageError where an expression takes too long */
  find(piece: Buffer, count: number): Match[];
}

export const PATTERN_KINDS = ['text', 'utf16', 'hex', 'regex'] as const;
/** Kind of a pattern's text. */
export type PatternKind = (typeof PATTERN_KINDS)[number];

/**
 * `text` in UTF-8, `utf16` little-endian, as Windows has it, `hex` bytes; a `regex` sees each byte as the character of
 * its number, so `\xff` is a byte.
 * @param ignoreCase for the letters a to z; in a `regex` for all letters of Latin-1
 * @throws UsageError for an invalid pattern
 */
export function patternOf(kind: PatternKind, text: string, ignoreCase = false): Pattern {
  chosenFrom('kind', kind, PATTERN_KINDS);
  if (text === '') throw new UsageError('bad-pattern', `Cannot search for nothing: --${kind} needs a text`);
  if (kind === 'regex') return expression(text, ignoreCase ? 'gi' : 'g');
  const bytes = kind === 'hex' ? bytesOf(text) : Buffer.from(text, kind === 'text' ? 'utf8' : 'utf16le');
  if (bytes.length > LONGEST_MATCH)
    throw new UsageError('bad-pattern', `Cannot search for ${bytes.length} bytes: expected at most ${LONGEST_MATCH}`);
  return ignoreCase && kind !== 'hex' ? anyCase(bytes) : exactly(bytes);
}

function bytesOf(text: string): Buffer {
  const digits = text.replace(/0x|[\s,:]+/gi, '');
  if (!/^([0-9a-f]{2})+$/i.test(digits))
    throw new UsageError('bad-hex', `Cannot read bytes "${text}": expected pairs of hexadecimal digits`);
  return Buffer.from(digits, 'hex');
}

function exactly(bytes: Buffer): Pattern {
  const find = (piece: Buffer, count: number) => {
    const matches: Match[] = [];
    for (
      let offset = piece.indexOf(bytes);
      offset >= 0 && matches.length < count;
      offset = piece.indexOf(bytes, offset + 1)
    )
      matches.push({ offset, length: bytes.length });
    return matches;
  };
  return { overlaps: true, find };
}

/** Matches bytes, with ASCII letters in either case. */
function anyCase(bytes: Buffer): Pattern {
  const digits = (byte: number) => `\\x${byte.toString(16).padStart(2, '0')}`;
  const either = (byte: number) =>
    /[a-z]/i.test(String.fromCharCode(byte)) ? `[${digits(byte)}${digits(byte ^ 0x20)}]` : digits(byte);
  // A lookahead consumes nothing, so overlapping matches are found, too.
  const { find } = expression(`(?=${Array.from(bytes, either).join('')})`, 'g');
  return {
    overlaps: true,
    find: (piece, count) => find(piece, count).map(({ offset }) => ({ offset, length: bytes.length })),
  };
}

function expression(text: string, flags: string): Pattern {
  const compiled = compile(text, flags);
  const find = (piece: Buffer, count: number) => {
    const characters = piece.toString('latin1');
    return within(text, () => {
      const matches: Match[] = [];
      for (const match of characters.matchAll(compiled)) {
        if (matches.push({ offset: match.index, length: match[0].length }) >= count) break;
      }
      return matches;
    });
  };
  return { overlaps: false, find };
}

function compile(text: string, flags: string): RegExp {
  try {
    return new RegExp(text, flags);
  } catch (error) {
    throw new UsageError('bad-regex', `Cannot use the regular expression "${text}": ${(error as Error).message}`);
  }
}

/** Time limit for one piece, in ms. */
const PATIENCE = 20_000;

/**
 * Does work within `PATIENCE`: some expressions would take years, and only the time limit of another context ends them.
 */
function within<T>(text: string, work: () => T): T {
  try {
    return runInNewContext('work()', { work }, { timeout: PATIENCE, breakOnSigint: true }) as T;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ERR_SCRIPT_EXECUTION_INTERRUPTED') throw new InterruptedError();
    if (code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw error;
    throw new UsageError(
      'slow-regex',
      `Cannot search for the regular expression "${text}": it takes more than ${PATIENCE / 1000} s for a piece ` +
        'of memory',
    );
  }
}
