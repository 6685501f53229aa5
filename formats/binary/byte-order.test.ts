import { describe, expect, it } from 'vitest';
import { bytesOfLongs, swapLongs, swapWords } from './byte-order.ts';

describe('on a big-endian host', () => {
  const bytes = () => Uint8Array.from([1, 2, 3, 4, 5, 6, 7, 8]);

  it('numbers of 4 and of 8 bytes are turned in place', () => {
    const own = bytes();
    expect(swapWords(own, 'BE')).toBe(own);
    expect([...own]).toEqual([4, 3, 2, 1, 8, 7, 6, 5]);
    expect([...swapLongs(bytes(), 'BE')]).toEqual([8, 7, 6, 5, 4, 3, 2, 1]);
  });

  it('only a part of a buffer is turned where a view shows only a part', () => {
    const whole = new Uint8Array(16).map((_, i) => i);
    swapWords(whole.subarray(4, 8), 'BE');
    expect([...whole.subarray(0, 12)]).toEqual([0, 1, 2, 3, 7, 6, 5, 4, 8, 9, 10, 11]);
  });

  it('numbers that somebody goes on using are copied', () => {
    const longs = new BigUint64Array(bytes().buffer);
    expect([...bytesOfLongs(longs, 'BE')]).toEqual([8, 7, 6, 5, 4, 3, 2, 1]);
    expect([...bytesOfLongs(longs, 'LE')]).toEqual([...bytes()]);
    expect([...new Uint8Array(longs.buffer)]).toEqual([...bytes()]);
  });
});
