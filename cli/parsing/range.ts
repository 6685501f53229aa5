import { UsageError } from '../../formats/errors.ts';
import { parseNumber } from '../../formats/values/number-text.ts';

/** Reads a range: `A-B`, which ends before B, or `A+SIZE`. @throws UsageError */
export function parseRange(text: string): { start: number; end: number } {
  const [, first, sign, second] = /^([^-+]+)([-+])([^-+]+)$/.exec(text) ?? [];
  if (first === undefined || second === undefined)
    throw new UsageError('bad-range', `Cannot read range "${text}": expected A-B or A+SIZE, e.g. 0x100000-0x200000`);
  const start = parseNumber(first);
  const end = sign === '-' ? parseNumber(second) : start + parseNumber(second);
  if (end <= start) throw new UsageError('bad-range', `Cannot read range "${text}": it ends before it starts`);
  return { start, end };
}
