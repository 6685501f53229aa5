import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { numberOf, parseBigNumber, parseBytes, parseCount, parseNumber } from './number-text.ts';

describe('a number that people type', () => {
  it.each([
    ['0', 0n],
    ['4096', 4096n],
    [' 0x1000 ', 4096n],
    ['0X1F', 31n],
    ['1k', 1024n],
    ['0x10K', 16384n],
    ['3T', 3n << 40n],
    ['0xffffffff`80000000', 0xffff_ffff_8000_0000n],
    ['1_000', 1000n],
    ['0xffffffffffffffff', (1n << 64n) - 1n],
  ])('is read from %j', (text, value) => {
    expect(numberOf(text)).toBe(value);
  });

  it.each([
    '',
    ' ',
    '1.5g',
    '-1',
    '1e3',
    '0x',
    'k',
    '1kb',
    '0b1',
    '1 k',
    '`1',
    '1`',
    '0x10000000000000000',
    '16777216T',
    '١',
  ])('is not read from %j', (text) => {
    expect(numberOf(text)).toBeUndefined();
    expect(() => parseBigNumber(text)).toThrow(expect.objectContaining({ code: 'bad-number' }));
  });

  it('has the value that was written, in either base', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }), (value) => {
        expect(numberOf(String(value))).toBe(value);
        expect(numberOf(`0x${value.toString(16)}`)).toBe(value);
      }),
    );
  });

  it('has limits: those of numbers in JavaScript, and those of its use', () => {
    expect(parseNumber('9007199254740991')).toBe(Number.MAX_SAFE_INTEGER);
    expect(() => parseNumber('9007199254740992')).toThrow(expect.objectContaining({ code: 'bad-number' }));
    expect(parseCount('0x10', 1, 16)).toBe(16);
    expect(() => parseCount('17', 1, 16)).toThrow('expected 1 to 16');
  });

  it('may be bytes in hexadecimal', () => {
    expect(parseBytes('0x01 fF\n00')).toEqual(Buffer.of(1, 255, 0));
    for (const text of ['', '1', 'zz', '0x0', '01x2']) expect(() => parseBytes(text)).toThrow('pairs');
  });
});
