import { runInNewContext } from 'node:vm';
import { InterruptedError, UsageError } from '../../../formats/errors.ts';
import { KIB } from '../../../formats/sizes.ts';

/** Bytes of a match; one that goes on is told as far as this. */
export const LONGEST_MATCH = 64 * KIB;

/** Offset from the start of a piece of memory, and bytes. */
export interface Match {
  /** Of the first byte, from the start of what was searched. */
  offset: number;
  /** Bytes. */
  length: number;
}

/** What is searched for. */
export interface Pattern {
  /** A match may start within another one. */
  overlaps: boolean;
  /** The first matches in a piece of memory, ascending. @throws UsageError where an expression takes too long */
  find(piece: Buffer, count: number): Match[];
}

export const PATTERN_KINDS = ['text', 'utf16', 'hex', 'regex'] as const;
/** How the text of a pattern is meant. */
export type PatternKind = (typeof PATTERN_KINDS)[number];

/**
 * `text` in UTF-8, `utf16` little-endian, as Windows has it, `hex` bytes; a `regex` sees each byte as the character of
 * its number, so `\xff` is a byte.
 * @param ignoreCase of the letters a to z; of a `regex` of Latin-1
 * @throws UsageError for what is none
 */
export function patternOf(kind: PatternKind, text: string, ignoreCase = false): Pattern {
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

/** Letters of ASCII are the bytes 0x41 … 0x5a and 0x61 … 0x7a. */
function anyCase(bytes: Buffer): Pattern {
  const digits = (byte: number) => `\\x${byte.toString(16).padStart(2, '0')}`;
  const either = (byte: number) =>
    /[a-z]/i.test(String.fromCharCode(byte)) ? `[${digits(byte)}${digits(byte ^ 0x20)}]` : digits(byte);
  // What is only looked ahead at is not passed over.
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

/** Milliseconds for a piece. */
const PATIENCE = 20_000;

/** There are expressions that would take years; nothing but this ends them. */
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
