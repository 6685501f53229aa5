import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { UnsupportedError } from '../../../formats/errors.ts';
import { NumberSet } from './number-set.ts';

const CHUNK = 32768;
const tooFarApart = () => new UnsupportedError('too-many', 'too far apart');

/** All numbers of some neighbouring chunks. */
function filled(set: NumberSet, chunks: number): NumberSet {
  for (let number = 0; number < chunks * CHUNK; number++) set.add(number);
  return set;
}

describe('NumberSet', () => {
  it('is as a set of numbers', () => {
    const number = fc.oneof(fc.nat(20), fc.constantFrom(CHUNK - 1, CHUNK, 2 ** 32, 2 ** 32 + 1));
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.boolean(), number)), (steps) => {
        const set = new NumberSet(tooFarApart);
        const naive = new Set<number>();
        for (const [adds, page] of steps) {
          if (adds) {
            expect(set.add(page)).toBe(!naive.has(page));
            naive.add(page);
          } else {
            set.remove(page);
            naive.delete(page);
          }
          expect([set.size, set.has(page)]).toEqual([naive.size, naive.has(page)]);
          const end = 2 ** 50;
          const after = [...naive].filter((other) => other >= page);
          expect(set.next(page, end)).toBe(Math.min(end, ...after));
          expect(set.next(page + 1, page + 2)).toBe(naive.has(page + 1) ? page + 1 : page + 2);
        }
        const blocks = new Set([...naive].map((page) => page - (page % 256)));
        expect(set.blockStarts().sort((a, b) => a - b)).toEqual([...blocks].sort((a, b) => a - b));
      }),
    );
  });

  it('takes no memory for stretches of which it has all', () => {
    const set = filled(new NumberSet(tooFarApart, 1), 5);
    expect([set.size, set.has(0), set.has(5 * CHUNK - 1), set.has(5 * CHUNK)]).toEqual([5 * CHUNK, true, true, false]);
    expect(set.blockStarts()).toHaveLength((5 * CHUNK) / 256);
    expect(set.add(7)).toBe(false);
    set.remove(7);
    expect([set.has(6), set.has(7), set.size]).toEqual([true, false, 5 * CHUNK - 1]);
    // This set may hold only one chunk that is not full.
    expect(() => set.remove(CHUNK)).toThrow(expect.objectContaining({ code: 'too-many' }));
    expect([set.has(CHUNK), set.size]).toEqual([true, 5 * CHUNK - 1]);
    expect(() => set.add(9 * CHUNK)).toThrow(expect.objectContaining({ code: 'too-many' }));
    set.add(7);
    set.remove(CHUNK);
    expect([set.has(7), set.has(CHUNK), set.has(2 * CHUNK)]).toEqual([true, false, true]);
  });
});
