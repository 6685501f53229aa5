import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { returnBuffer, takeBuffer } from './arena.ts';
import { applyWordDelta, wordDelta } from './delta.ts';
import { applyWordDeltaPlain, wordDeltaPlain } from './delta-plain.ts';

const PAGE = 4096;
const changes = fc.array(fc.tuple(fc.nat({ max: PAGE - 1 }), fc.integer({ min: 0, max: 255 })), { maxLength: 60 });

function twoPages(list: readonly (readonly [number, number])[]): [Uint8Array, Uint8Array] {
  const base = new Uint8Array(PAGE).map((_, i) => i * 3);
  const page = base.slice();
  for (const [at, value] of list) page[at] = value;
  return [base, page];
}

describe('wordDelta() and applyWordDelta()', () => {
  it('turn a page into another one, in 64 bytes and 8 for each word that differs', () => {
    fc.assert(
      fc.property(changes, fc.boolean(), (list, inKernels) => {
        const [base, page] = twoPages(list);
        const differing = Array.from({ length: 512 }, (_, i) => i).filter(
          (i) => !Buffer.from(base.buffer, i * 8, 8).equals(Buffer.from(page.buffer, i * 8, 8)),
        );
        const target = inKernels ? takeBuffer(5000) : new Uint8Array(5000);
        const length = wordDelta(base, 0, page, 0, target, 3, 4900);
        expect(length).toBe(64 + 8 * differing.length);
        const twin = new Uint8Array(5000);
        expect(wordDeltaPlain(base, 0, page, 0, twin, 3, 4900)).toBe(length);
        expect(Buffer.compare(twin.subarray(3, 3 + length), target.subarray(3, 3 + length))).toBe(0);
        for (const apply of [applyWordDelta, applyWordDeltaPlain]) {
          const result = new Uint8Array(PAGE + 2).fill(9);
          result.set(base, 1);
          expect(apply(target, 3, length, result, 1)).toBe(true);
          expect(Buffer.compare(result, Buffer.from([9, ...page, 9]))).toBe(0);
        }
        returnBuffer(target);
      }),
      { numRuns: 150 },
    );
  });

  it('give 0 where a delta does not fit', () => {
    const [base, page] = twoPages([
      [0, 99],
      [800, 99],
    ]);
    for (const make of [wordDelta, wordDeltaPlain]) {
      expect(make(base, 0, page, 0, new Uint8Array(80), 0, 80)).toBe(80);
      expect(make(base, 0, page, 0, new Uint8Array(80), 0, 79)).toBe(0);
      expect(make(base, 0, base, 0, new Uint8Array(80), 0, 63)).toBe(0);
    }
  });

  it('refuse a delta whose length does not fit its bitmap, and leave the page alone', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 0, maxLength: 200 }), (delta) => {
        const results = [applyWordDelta, applyWordDeltaPlain].map((apply) => {
          const page = new Uint8Array(PAGE);
          return { isGood: apply(delta, 0, delta.length, page, 0), page };
        });
        expect(results[0]).toEqual(results[1]);
        if (!results[0].isGood) expect(results[0].page.every((byte) => byte === 0)).toBe(true);
      }),
    );
  });
});
