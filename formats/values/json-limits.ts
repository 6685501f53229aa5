import { FormatError } from '../errors.ts';
import type { MessageLimits } from './message-pack.ts';

const [QUOTE, BACKSLASH, COMMA, OPEN_LIST, CLOSE_LIST, OPEN_MAP, CLOSE_MAP] = Buffer.from('"\\,[]{}');

/**
 * Checks JSON before it is parsed, since parsing may take many times its size in memory: counts the depth and the
 * values, by brackets and commas. Invalid JSON is found by the parser.
 * @param refuse makes the error to throw beyond the limits; by default a FormatError `bad-json`
 */
export function checkJson(
  bytes: Uint8Array,
  { values, depth }: MessageLimits,
  refuse: (why: string) => Error = bad,
): void {
  let count = 1;
  let open = 0;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at];
    if (byte === QUOTE) at = endOfText(bytes, at + 1);
    else if (byte === CLOSE_LIST || byte === CLOSE_MAP) open--;
    else if (byte === OPEN_LIST || byte === OPEN_MAP) {
      count++;
      if (++open > depth) throw refuse(`it is nested deeper than ${depth}`);
    } else if (byte === COMMA) count++;
    if (count > values) throw refuse(`it has more than ${values} values`);
  }
}

/** Index of the quote that ends a text. */
function endOfText(bytes: Uint8Array, start: number): number {
  let at = start;
  while (at < bytes.length && bytes[at] !== QUOTE) at += bytes[at] === BACKSLASH ? 2 : 1;
  return at;
}

function bad(why: string): FormatError {
  return new FormatError('bad-json', `Cannot read JSON: ${why}`);
}
