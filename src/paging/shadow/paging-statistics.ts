import type { GuestVirt } from '../../../formats/sizes.ts';
import type { StatTree } from '../../pgm/statistics/stat-tree.ts';
import {
  CPU_COUNTS,
  CPU_TIMES,
  type CpuCount,
  type CpuTime,
  SHADOW_COUNTS,
  SHADOW_TIMES,
  type ShadowCount,
  type ShadowTime,
} from './paging-events.ts';
import type { ShadowPaging } from './shadow-paging.ts';

/** Adds the figures of the CPUs' paging to the statistics of their machine, which may list fewer CPUs. */
export function bindPagingStatistics(statistics: StatTree, { cpus, events, virtualHandlers }: ShadowPaging): void {
  events.bindTo(
    statistics,
    '/PGM/',
    Object.keys(SHADOW_COUNTS) as ShadowCount[],
    Object.keys(SHADOW_TIMES) as ShadowTime[],
  );
  for (const cpu of cpus.slice(0, statistics.cpus))
    cpu.events.bindTo(
      statistics,
      `/PGM/CPU${cpu.id}/`,
      Object.keys(CPU_COUNTS) as CpuCount[],
      Object.keys(CPU_TIMES) as CpuTime[],
    );
  statistics.follow(() =>
    virtualHandlers.registered.map(({ handler: { start, end, description }, calls }) => [
      [`/PGM/VirtHandler/Calls/${addressText(start)}-${addressText(end - 1n)}`, 'profile', description],
      calls,
    ]),
  );
}

function addressText(address: GuestVirt): string {
  return address.toString(16).padStart(16, '0');
}
