import { expect, it } from 'vitest';
import { MIB } from '../../../formats/sizes.ts';
import { OBSERVED_LIMIT, PayloadCopy } from './payload-observer.ts';

const taken = () => process.memoryUsage().heapUsed + process.memoryUsage().external;

it('A payload in records of one byte takes little more memory than it has bytes', () => {
  const copy = new PayloadCopy();
  const before = taken();
  const piece = new Uint8Array(1);
  for (let i = 0; i < 2 * MIB; i++) {
    piece[0] = i;
    copy.add(piece);
  }
  expect(taken() - before).toBeLessThan(64 * MIB);
  const whole = copy.whole();
  expect(whole?.length).toBe(2 * MIB);
  expect(whole?.subarray(254, 258)).toEqual(Uint8Array.of(254, 255, 0, 1));
});

it('A payload that is too large is not kept', () => {
  const copy = new PayloadCopy();
  const piece = new Uint8Array(MIB);
  for (let size = 0; size <= OBSERVED_LIMIT; size += MIB) copy.add(piece);
  expect(copy.whole()).toBeUndefined();
});
