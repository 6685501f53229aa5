import { UsageError } from '../errors.ts';

const SUFFIXES: Readonly<Record<string, bigint>> = { '': 1n, k: 1n << 10n, m: 1n << 20n, g: 1n << 30n, t: 1n << 40n };

/**
 * A number as people type it: `4096`, `0x1000`, `1M`; with `` ` `` or `_` between groups of digits, as debuggers print
 * them. Undefined for other texts, such as `1.5g`, `-1` or `1e3`, and for more than 64 bits.
 */
export function numberOf(text: string): bigint | undefined {
  const plain = text.trim().replaceAll(/(?<=[0-9a-fx])[`_](?=[0-9a-f])/gi, '');
  const [, digits, suffix = ''] = /^(0x[0-9a-f]+|\d+)([kmgt]?)$/i.exec(plain) ?? [];
  if (digits === undefined) return undefined;
  const value = BigInt(digits) * SUFFIXES[suffix.toLowerCase()];
  return value < 1n << 64n ? value : undefined;
}

/** Reads a number of up to 64 bits, such as a virtual address. @throws UsageError `bad-number` */
export function parseBigNumber(text: string): bigint {
  const value = numberOf(text);
  if (value !== undefined) return value;
  throw new UsageError('bad-number', `Cannot read number "${text}": expected e.g. 4096, 0x1000 or 1M, at most 64 bits`);
}

/** Reads a size, a physical address or a rate. @throws UsageError `bad-number`, also beyond 2^53 */
export function parseNumber(text: string): number {
  const value = Number(parseBigNumber(text));
  if (Number.isSafeInteger(value)) return value;
  throw new UsageError('bad-number', `Cannot read number "${text}": expected one below 2^53`);
}

/** Reads a number within a range; both ends belong to it. @throws UsageError `bad-number` */
export function parseCount(text: string, least: number, most: number): number {
  const value = parseBigNumber(text);
  if (value >= BigInt(least) && value <= BigInt(most)) return Number(value);
  throw new UsageError('bad-number', `Cannot take ${text}: expected ${least} to ${most}`);
}

/** Bytes as pairs of hexadecimal digits, with blanks between them or none. @throws UsageError `bad-hex` */
export function parseBytes(text: string): Uint8Array {
  const digits = text.replaceAll(/\s+/g, '').replace(/^0x/i, '');
  if (/^([0-9a-f]{2})+$/i.test(digits)) return Buffer.from(digits, 'hex');
  throw new UsageError('bad-hex', `Cannot read bytes "${text}": expected pairs of hexadecimal digits`);
}
