import { UsageError } from '../../formats/errors.ts';

/** Addresses as the debugger prints them: hexadecimal, lower case, zero-padded, without prefix. */
export function digits16(value: number | bigint): string {
  return value.toString(16).padStart(16, '0');
}

export function digits8(value: number | bigint): string {
  return (BigInt(value) & 0xffff_ffffn).toString(16).padStart(8, '0');
}

/**
 * A number as people type it: hexadecimal with `0x`, decimal without; with `` ` `` between groups of digits. @throws
 * UsageError `bad-number`
 */
export function parseNumber(text: string): bigint {
  const plain = text.replaceAll('`', '');
  if (!/^(0x[0-9a-f]+|[0-9]+)$/i.test(plain))
    throw new UsageError('bad-number', `Cannot read "${text}": expected a number such as 0x1000`);
  const value = BigInt(plain);
  if (value >= 1n << 64n) throw new UsageError('bad-number', `Cannot read "${text}": it has more than 64 bits`);
  return value;
}

/** @throws UsageError `bad-number` for what is not in `[least, most]` */
export function parseCount(text: string, least: number, most: number): number {
  const value = parseNumber(text);
  if (value < BigInt(least) || value > BigInt(most))
    throw new UsageError('bad-number', `Cannot take ${text}: expected ${least} to ${most}`);
  return Number(value);
}
