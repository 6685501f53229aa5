import { describe, expect, it } from 'vitest';
import type { SavedState } from '../saved-state/reading/state.ts';
import { ramPlan } from './ram-plan.ts';

const GIB = 2 ** 30;
const state = (ramSize: number, ramHole: number, bus: 'pci' | 'ich9pci') =>
  ({ units: [{ name: bus }], pgm: { ramSize, ramHole, config: { ramSize, ramHole } } }) as unknown as SavedState;

describe('ramPlan()', () => {
  it('gives QEMU as much RAM as it has room for below 4 GiB', () => {
    expect(ramPlan(state(3 * GIB, GIB / 2, 'pci'))).toMatchObject({ ramSize: 3 * GIB, gaps: [] });
    expect(ramPlan(state(2.5 * GIB, 0x2400_0000, 'ich9pci'))).toMatchObject({ ramSize: 2.5 * GIB, gaps: [] });
  });

  it('has devices show what is beyond, each a power of two at a multiple of its size', () => {
    const { ramSize, lowEnd, gaps, stretches } = ramPlan(state(5 * GIB, 0x2400_0000, 'ich9pci'));
    expect([ramSize, lowEnd]).toEqual([2 * GIB + 5 * GIB - 0xdc00_0000, 2 * GIB]);
    expect(gaps.map(({ gcPhys, size }) => [gcPhys, size])).toEqual([
      [0x8000_0000, 0x4000_0000],
      [0xc000_0000, 0x1000_0000],
      [0xd000_0000, 0x0800_0000],
      [0xd800_0000, 0x0400_0000],
    ]);
    expect(stretches.reduce((sum, { size }) => sum + size, 0)).toBe(5 * GIB);
    expect(stretches[5]).toEqual({ gcPhys: 4 * GIB, block: 'ram', offset: 2 * GIB, size: 5 * GIB - 0xdc00_0000 });
    expect(ramPlan(state(4.5 * GIB, GIB / 2, 'pci')).gaps).toEqual([{ gcPhys: 3 * GIB, size: GIB / 2 }]);
  });
});
