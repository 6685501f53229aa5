import { describe, expect, it } from 'vitest';
import { type EntryShape, entryLine, headLines } from './table-lines.ts';

// The examples of console.md 3.2, letter by letter.
const LONG: [string, bigint, number, EntryShape, bigint][] = [
  ['0000000000000000 0 |    P W U A . . -- -- .. -- .. 0-0  0000000001234000', 0n, 0, 'upper', 0x1234027n],
  ['0000000000000000 1  |   P W U A . . -- -- .. -- .. 0-0  0000000001235000', 0n, 1, 'upper', 0x1235027n],
  ['0000000000000000 2   |  P W U A . . -- -- .. -- 4K 0--  0000000001236000', 0n, 2, 'table', 0x1236027n],
  [
    '0000000000200000 2   |  P R U A D - -- -- -- NX 4M 0-d  0000000040000000',
    0x200000n,
    2,
    'large',
    0x8000_0000_4000_08e5n,
  ],
  [
    '0000000000001000 3    | P R U A - G -- -- -- NX 4K d0-  0000000002345000',
    0x1000n,
    3,
    'page',
    0x8000_0000_0234_5325n,
  ],
];
const NARROW: [string, bigint, number, EntryShape, bigint][] = [
  ['c0000000 0 |    P W S A . . -- -- .. .. 4K 0--  00124000', 0xc0000000n, 0, 'table', 0x124023n],
  ['c0400000 0 |    P W S A D G -- -- -- .. 4M 0--  00400000', 0xc0400000n, 0, 'large', 0x4001e3n],
  ['c0000000 1  |   P W S A D - -- -- -- .. 4K -0-  00125000', 0xc0000000n, 1, 'page', 0x125063n],
];

describe('entryLine()', () => {
  it.each(LONG)('prints %s', (line, virtual, depth, shape, value) => {
    expect(entryLine({ virtual, depth, shape, value, wide: true }, true, value & 0x000f_ffff_ffff_f000n)).toBe(line);
  });

  it.each(NARROW)('prints %s', (line, virtual, depth, shape, value) => {
    expect(entryLine({ virtual, depth, shape, value, wide: false }, false, value & 0xffff_f000n)).toBe(line);
  });

  it("aligns legacy PAE's pointers, which have no rights", () => {
    const pointer = { virtual: 0n, depth: 0, shape: 'pointer', value: 0x1234001n | (1n << 10n), wide: true } as const;
    expect(entryLine(pointer, false, 0x1234000n)).toBe(
      '00000000 0 |    P       . . -- -- .. .. .. 0p0  0000000001234000',
    );
  });
});

describe('headLines()', () => {
  it('puts the titles of columns where the lines have the columns', () => {
    for (const isLong of [false, true]) {
      const head = headLines(0x123000n, 0x6f0n, isLong);
      expect(head).toHaveLength(15);
      expect(head[0]).toBe(`cr3=00123000 cr4=000006f0${isLong ? ' Long Mode' : ''}`);
      expect(head[1].indexOf('P')).toBe((isLong ? 16 : 8) + 8);
      expect(head[14].indexOf('|')).toBe((isLong ? 16 : 8) + 8);
    }
    expect(headLines(0n, 0n, false)[14]).toBe('Address  Level  | | | | | | |  |  |  |  |  |    Page');
  });
});
