import { expect, it } from 'vitest';
import type { SavedState } from '../reading/state.ts';
import { Comparison } from './comparison.ts';

it('finds units among as many as a file can have', () => {
  const units = Array.from({ length: 130_000 }, (_, i) => ({ name: `u${i}`, instance: 0, version: 1, pass: 'final' }));
  const comparison = new Comparison({ units } as unknown as SavedState, { name: 'saved' }, { name: 'own' });
  for (const { name } of units) comparison.add(name, 'device-missing', 'VERR_X', name, 0);
  expect(comparison.differences).toHaveLength(units.length);
  expect(comparison.differences.at(-1)).toMatchObject({ at: units.length - 1 });
  comparison.add('u1', 'device-missing', 'VERR_X', '', 7);
  expect(comparison.differences).toHaveLength(units.length);
});
