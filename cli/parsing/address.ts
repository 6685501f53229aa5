import { UsageError } from '../../formats/errors.ts';

const SUFFIXES: Record<string, number> = { '': 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3, t: 1024 ** 4 };

/** A number as people type it: `4096`, `0x1000`, `1M`, `1.5g` is not one. @throws UsageError */
export function parseAddress(text: string): number {
  const match = /^(0x[0-9a-f]+|\d+)([kmgt]?)$/i.exec(text.trim());
  const value = match ? Number(match[1]) * SUFFIXES[match[2].toLowerCase()] : Number.NaN;
  if (!Number.isSafeInteger(value))
    throw new UsageError('bad-number', `Cannot read number "${text}": expected e.g. 4096, 0x1000 or 1M`);
  return value;
}

/**
 * A number of up to 64 bits, e.g. a virtual address; the same spelling, and backquotes as debuggers print them. @throws
 * UsageError
 */
export function parseBigAddress(text: string): bigint {
  const plain = text.trim().replaceAll('`', '').replaceAll('_', '');
  const value = /^(0x[0-9a-f]+|\d+)$/i.test(plain) ? BigInt(plain) : undefined;
  if (value === undefined || value >= 1n << 64n)
    throw new UsageError(
      'bad-number',
      `Cannot read address "${text}": expected e.g. 0xffffffff80000000, at most 64 bits`,
    );
  return value;
}

/** `A-B`, `[A, B)`, or `A+SIZE`. @throws UsageError */
export function parseRange(text: string): { start: number; end: number } {
  const [, first, sign, second] = /^([^-+]+)([-+])([^-+]+)$/.exec(text) ?? [];
  if (first === undefined || second === undefined)
    throw new UsageError('bad-range', `Cannot read range "${text}": expected A-B or A+SIZE, e.g. 0x100000-0x200000`);
  const start = parseAddress(first);
  const end = sign === '-' ? parseAddress(second) : start + parseAddress(second);
  if (end <= start) throw new UsageError('bad-range', `Cannot read range "${text}": it ends before it starts`);
  return { start, end };
}
