import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FrameSet } from './frame-set.ts';

const CHUNK = 32768;

/** All frames of some neighbouring chunks. */
function filled(set: FrameSet, chunks: number): FrameSet {
  for (let frame = 0; frame < chunks * CHUNK; frame++) set.add(frame);
  return set;
}

describe('FrameSet', () => {
  it('is as a set of numbers', () => {
    const frame = fc.oneof(fc.nat(20), fc.constantFrom(CHUNK - 1, CHUNK, 2 ** 32, 2 ** 32 + 1));
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.boolean(), frame)), (steps) => {
        const set = new FrameSet();
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
        }
        const blocks = new Set([...naive].map((page) => page - (page % 256)));
        expect(set.blockStarts().sort((a, b) => a - b)).toEqual([...blocks].sort((a, b) => a - b));
      }),
    );
  });

  it('takes no memory for stretches of which it has all', () => {
    const set = filled(new FrameSet(1), 5);
    expect([set.size, set.has(0), set.has(5 * CHUNK - 1), set.has(5 * CHUNK)]).toEqual([5 * CHUNK, true, true, false]);
    expect(set.blockStarts()).toHaveLength((5 * CHUNK) / 256);
    expect(set.add(7)).toBe(false);
    set.remove(7);
    expect([set.has(6), set.has(7), set.size]).toEqual([true, false, 5 * CHUNK - 1]);
    // One that lacks a page is all that it may have.
    expect(() => set.remove(CHUNK)).toThrow(expect.objectContaining({ code: 'too-much-memory' }));
    expect([set.has(CHUNK), set.size]).toEqual([true, 5 * CHUNK - 1]);
    expect(() => set.add(9 * CHUNK)).toThrow(expect.objectContaining({ code: 'too-much-memory' }));
    set.add(7);
    set.remove(CHUNK);
    expect([set.has(7), set.has(CHUNK), set.has(2 * CHUNK)]).toEqual([true, false, true]);
  });
});
