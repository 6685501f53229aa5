import { describe, expect, it } from 'vitest';
import { returnBuffer, takeBuffer } from './arena.ts';
import { isZero } from './zero.ts';

describe('isZero()', () => {
  for (const [where, take] of [
    ['anywhere', (size: number) => new Uint8Array(size)],
    ['in the memory of the kernels', takeBuffer],
  ] as const) {
    it(`notices any one bit of any length, ${where}`, () => {
      const bytes = take(9000).fill(0);
      for (const length of [0, 1, 63, 64, 65, 4096, 4097, 8900]) {
        expect(isZero(bytes, 7, length)).toBe(true);
        for (const at of [0, 1, 62, 63, 64, 4095, 4096, length - 1]) {
          if (at < 0 || at >= length) continue;
          bytes[7 + at] = 1 << (at % 8);
          expect(isZero(bytes, 7, length), `${at} of ${length}`).toBe(false);
          bytes[7 + at] = 0;
        }
        bytes[6] = bytes[7 + length] = 1;
        expect(isZero(bytes, 7, length)).toBe(true);
        bytes[6] = bytes[7 + length] = 0;
      }
      returnBuffer(bytes);
    });
  }
});
