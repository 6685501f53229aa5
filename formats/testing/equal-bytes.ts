import { expect } from 'vitest';

// Compares bytes as bytes. Vitest itself compares them number by number, which takes seconds for a few MiB.

const isThere = Symbol.for('savkit.equal-bytes');

// This file runs before each file of tests, all of which share one list of comparisons.
if (!Reflect.has(globalThis, isThere)) {
  Reflect.set(globalThis, isThere, true);
  expect.addEqualityTesters([
    (a, b) =>
      a instanceof Uint8Array && b instanceof Uint8Array && a.constructor === b.constructor
        ? Buffer.compare(a, b) === 0
        : undefined,
  ]);
}
