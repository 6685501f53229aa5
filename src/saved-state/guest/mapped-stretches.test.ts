import { describe, expect, it } from 'vitest';
import { mapRanges } from './mapped-stretches.ts';

const RANGES = [
  { start: 0, end: 0x8000 },
  { start: 0x1_0000_0000, end: 0x1_0000_8000 },
];
const map = (virtual: bigint, gcPhys: number, size: number) => ({ virtual, gcPhys, size });
const plain = ({ stretches }: ReturnType<typeof mapRanges>) =>
  stretches.map(({ start, end, vaddr }) => [start, end, vaddr]);

describe('mapRanges()', () => {
  it('gives memory without virtual addresses its physical ones, above 4 GiB, too', () => {
    expect(plain(mapRanges(RANGES, [], 10))).toEqual([
      [0, 0x8000, 0n],
      [0x1_0000_0000, 0x1_0000_8000, 0x1_0000_0000n],
    ]);
  });

  it('cuts where mappings begin and end, so that stretches are the same or have nothing in common', () => {
    const mapped = mapRanges(RANGES, [map(0xa000_0000n, 0, 0x1_0000_8000), map(0xff00n << 48n, 0x2000, 0x1000)], 10);
    expect(plain(mapped)).toEqual([
      [0, 0x2000, 0xa000_0000n],
      [0x2000, 0x3000, 0xa000_2000n],
      [0x2000, 0x3000, 0xff00n << 48n],
      [0x3000, 0x8000, 0xa000_3000n],
      [0x1_0000_0000, 0x1_0000_8000, 0x1_a000_0000n],
    ]);
    expect(mapped.complete).toBe(true);
  });

  it('passes over what is mapped where there is no memory', () => {
    const mapped = mapRanges(
      RANGES,
      [map(0xf000_0000n, 0xfee0_0000, 0x1000), map(0xe000_0000n, 0x7000, 0x10_0000)],
      10,
    );
    expect(plain(mapped)).toEqual([
      [0, 0x7000, 0n],
      [0x7000, 0x8000, 0xe000_0000n],
      [0x1_0000_0000, 0x1_0000_8000, 0x1_0000_0000n],
    ]);
    expect(mapped.complete).toBe(true);
  });

  it('leaves the last mappings out where there is no room, and says so', () => {
    const maps = Array.from({ length: 8 }, (_, i) => map(BigInt(i) << 32n, i * 0x1000, 0x1000));
    const mapped = mapRanges(RANGES, maps, 6);
    expect(mapped.complete).toBe(false);
    expect(mapped.stretches.length).toBeLessThanOrEqual(6);
    expect(mapped.stretches.map(({ vaddr }) => vaddr)).toEqual([
      0n,
      1n << 32n,
      2n << 32n,
      3n << 32n,
      0x4000n,
      0x1_0000_0000n,
    ]);
  });

  it('is quick where thousands of mappings lie in each other', () => {
    const maps = Array.from({ length: 100_000 }, (_, i) =>
      map(BigInt(i) << 24n, i % 8 === 0 ? 0 : (i % 4096) * 8, 0x8000),
    );
    const mapped = mapRanges(RANGES, maps, 4096);
    expect(mapped.complete).toBe(false);
    expect(mapped.stretches.length).toBeLessThanOrEqual(4096);
  });
});
