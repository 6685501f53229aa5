import { afterAll, expect, vi } from 'vitest';

// Runs in front of each file of tests.

/** The files share a process; before their tests it is vitest itself that puts variables back. */
afterAll(() => void vi.unstubAllEnvs());

const hasOwnComparisons = Symbol.for('savkit.own-comparisons');

// All files share one list of comparisons, too. Vitest itself compares bytes number by number, which takes seconds for
// a few MiB.
if (!Reflect.has(globalThis, hasOwnComparisons)) {
  Reflect.set(globalThis, hasOwnComparisons, true);
  expect.addEqualityTesters([
    (a, b) =>
      a instanceof Uint8Array && b instanceof Uint8Array && a.constructor === b.constructor
        ? Buffer.compare(a, b) === 0
        : undefined,
  ]);
}
