import { describe, expect, it } from 'vitest';
import { crc32 } from '../binary/crc32.ts';
import { type CrcPiece, RunningCrc } from './running-crc.ts';

const bytes = Uint8Array.from({ length: 5000 }, (_, i) => (i * i) >>> 3);

/** A piece whose CRC is known once `settle` was called. */
function piece(start: number, end: number): CrcPiece {
  const own: CrcPiece = {
    length: end - start,
    crc: undefined,
    settle: async () => {
      own.crc = crc32(bytes.subarray(start, end));
    },
  };
  return own;
}

describe('RunningCrc', () => {
  it('is the CRC of all bytes, whoever computes pieces of it, and in whatever order they come', async () => {
    const crc = new RunningCrc();
    crc.pass(bytes, 0, 1000);
    const [second, fourth] = [piece(1000, 1700), piece(2500, 4000)];
    crc.defer(second);
    crc.pass(bytes, 0, 2500);
    crc.defer(fourth);
    await fourth.settle();
    expect(() => crc.value).toThrow();
    await crc.settle();
    expect(crc.value).toBe(crc32(bytes.subarray(0, 4000)));
    crc.pass(bytes.subarray(3000), 3000, 5000);
    expect(crc.value).toBe(crc32(bytes));
  });

  it('covers a stretch only, and forgets what was deferred when it goes back', async () => {
    const crc = new RunningCrc();
    crc.limit(100, 900);
    crc.pass(bytes, 0, 500);
    const before = crc.value;
    expect(crc.needed(2000)).toBe(400);
    crc.defer(piece(500, 900));
    expect(crc.needed(2000)).toBe(0);
    crc.restore(before, 500);
    crc.pass(bytes, 0, 2000);
    expect(crc.value).toBe(crc32(bytes.subarray(100, 900)));
  });
});
