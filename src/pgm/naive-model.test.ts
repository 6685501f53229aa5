import fc from 'fast-check';
import { expect, it } from 'vitest';
import { MachinePair } from './testing/machine-pair.ts';
import { firstDifference, operations } from './testing/random-operations.ts';

it('does what a naive memory does, under any sequence of accesses, handlers, devices, balloons, locks, monitoring, resets', () => {
  fc.assert(
    fc.property(operations, (sequence) => {
      expect(firstDifference(new MachinePair(), sequence)).toBeUndefined();
    }),
    { numRuns: 60 },
  );
});
