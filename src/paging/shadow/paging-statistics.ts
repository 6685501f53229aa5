import type { StatTree } from '../../pgm/statistics/stat-tree.ts';
import type { ShadowPaging } from './shadow-paging.ts';
import type { CpuCounts } from './shadow-state.ts';

/** VirtualBox's names below `/PGM/CPU<n>/` for what is counted. Source: PGM.cpp, pgmR3InitStats. */
const NAMES: Partial<Record<keyof CpuCounts, string>> = {
  newCr3: 'R3/FlushTLB/NewCR3',
  newCr3Global: 'R3/FlushTLB/NewCR3Global',
  sameCr3: 'R3/FlushTLB/SameCR3',
  sameCr3Global: 'R3/FlushTLB/SameCR3Global',
  syncGlobal: 'R3/SyncCR3/Global',
  syncNotGlobal: 'R3/SyncCR3/NotGlobal',
};

/** Shows what the CPUs' paging has done in the statistics of their machine, which knows as many CPUs or fewer. */
export function bindPagingStatistics(statistics: StatTree, { cpus }: ShadowPaging): void {
  for (const { id, counts } of cpus.slice(0, statistics.cpus)) {
    for (const [count, name] of Object.entries(NAMES))
      statistics.bind(`/PGM/CPU${id}/${name}`, () => counts[count as keyof CpuCounts]);
  }
}
