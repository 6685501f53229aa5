import type { MappedStretch } from '../../../formats/image/elf-core.ts';
import type { MemoryRange } from '../../../formats/image/extents.ts';
import type { VirtualStretch } from './upper-half.ts';

export interface Mapped {
  stretches: MappedStretch[];
  /** False where some virtual addresses had to be left out. */
  complete: boolean;
}

/**
 * Cuts physical ranges into stretches of which any two are equal or disjoint, as readers that look up physical
 * addresses assume. Each stretch has all virtual addresses given for it, or else its physical one.
 *
 * @param ranges ascending, no overlap
 * @param maps in order of importance: the last ones are dropped where the limit is reached
 * @param limit maximum number of stretches, unless the ranges alone are more
 * @returns ascending by physical address, the addresses of one stretch in the order of the maps
 */
export function mapRanges(ranges: readonly MemoryRange[], maps: readonly VirtualStretch[], limit: number): Mapped {
  const inside = maps.filter(({ gcPhys, size }) =>
    ranges.some(({ start, end }) => gcPhys < end && gcPhys + size > start),
  );
  let fits = 0;
  let tooMany = Math.min(inside.length, limit) + 1;
  while (tooMany - fits > 1) {
    const middle = Math.floor((fits + tooMany) / 2);
    if (cut(ranges, inside.slice(0, middle), limit)) fits = middle;
    else tooMany = middle;
  }
  return {
    stretches: cut(ranges, inside.slice(0, fits), Number.POSITIVE_INFINITY) ?? [],
    complete: fits === inside.length,
  };
}

/** @returns undefined beyond the limit */
function cut(
  ranges: readonly MemoryRange[],
  maps: readonly VirtualStretch[],
  limit: number,
): MappedStretch[] | undefined {
  const inOrder = maps
    .map((map, rank) => ({ ...map, rank, end: map.gcPhys + map.size }))
    .sort((a, b) => a.gcPhys - b.gcPhys);
  const borders = Float64Array.from([
    ...ranges.flatMap(({ start, end }) => [start, end]),
    ...inOrder.flatMap(({ gcPhys, end }) => [gcPhys, end]),
  ]).sort();
  const stretches: MappedStretch[] = [];
  let active: typeof inOrder = [];
  let range = 0;
  let next = 0;
  for (let i = 0; i + 1 < borders.length; i++) {
    const [start, end] = [borders[i], borders[i + 1]];
    if (start === end) continue;
    active = active.filter((map) => map.end > start);
    for (; next < inOrder.length && inOrder[next].gcPhys <= start; next++) active.push(inOrder[next]);
    while (range < ranges.length && ranges[range].end <= start) range++;
    if (range === ranges.length) break;
    if (start < ranges[range].start) continue;
    for (const { virtual, gcPhys } of active.sort((a, b) => a.rank - b.rank))
      stretches.push({ start, end, vaddr: virtual + BigInt(start - gcPhys) });
    if (active.length === 0) stretches.push({ start, end, vaddr: BigInt(start) });
    if (stretches.length > limit) return undefined;
  }
  return stretches;
}
