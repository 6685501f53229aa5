import type { NamedRange } from '../reading/memory-region.ts';
import type { SavedState } from '../reading/state.ts';
import { memoryMap, mmio2Address } from './memory-map.ts';

/** All ROMs. */
export function romRanges(state: SavedState): NamedRange[] {
  return memoryMap(state)
    .filter(({ kind }) => kind === 'rom')
    .map((region) => ({ ...region, key: '', isMapped: true }));
}

/** All MMIO2 ranges; unmapped ones start at 0. */
export function mmio2Ranges(state: SavedState): NamedRange[] {
  if (!state.pgm?.config)
    return memoryMap(state)
      .filter(({ kind }) => kind === 'mmio2')
      .map((region) => ({ ...region, key: '', isMapped: true }));
  return state.pgm.config.mmio2.map((range) => {
    const start = mmio2Address(state, range);
    const key = `${range.device}/${range.instance}/${range.region}`;
    return {
      kind: 'mmio2',
      start: start ?? 0,
      end: (start ?? 0) + range.size,
      name: range.description,
      id: range.id,
      firstPage: 0,
      key,
      isMapped: start !== undefined,
    };
  });
}
