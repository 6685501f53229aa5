import type { GuestMemory } from './guest-memory.ts';
import type { HostBacking } from './pages/host-backing.ts';
import { PAGE_COUNT_NAMES, type PageCounts } from './pages/page-counters.ts';
import { CPU_STATISTICS } from './statistics/cpu-statistics.ts';
import { MEMORY_STATISTICS } from './statistics/memory-statistics.ts';
import { RELEASE_STATISTICS } from './statistics/release-statistics.ts';
import { StatTree } from './statistics/stat-tree.ts';
import type { StatisticRow } from './statistics/statistic.ts';

/** Statistics of the memory set-up, in pages and bytes. */
const SET_UP_STATISTICS: readonly StatisticRow[] = [
  ['/MM/Reserved/cBasePages', 'u64', 'pages reserved for RAM and ROM, handy pages included'],
  ['/MM/Reserved/cHandyPages', 'u32', 'pages reserved for the stock of handy pages'],
  ['/MM/Reserved/cShadowPages', 'u32', 'pages reserved for shadow page tables'],
  ['/MM/Reserved/cFixedPages', 'u32', 'pages reserved for device memory'],
  ['/MM/cbRamBase', 'u64', 'size of the RAM'],
];

/**
 * All statistics of a machine. Other parts bind their statistics; statistics of absent parts, such as raw mode, stay 0.
 */
export function machineStatistics(memory: GuestMemory, cpus: number): StatTree {
  const tree = new StatTree(cpus);
  for (const rows of [RELEASE_STATISTICS, MEMORY_STATISTICS, CPU_STATISTICS, SET_UP_STATISTICS]) tree.register(rows);
  const { pages, accesses, ranges, handlers, largePages } = memory;
  for (const [count, name] of Object.entries(PAGE_COUNT_NAMES))
    tree.bind(`/PGM/Page/${name}`, () => pages.counts[count as keyof PageCounts]);
  tree.bind('/PGM/R3/Phys/Read', () => accesses.reads);
  tree.bind('/PGM/R3/Phys/Read/Bytes', () => accesses.readBytes);
  tree.bind('/PGM/R3/Phys/Write', () => accesses.writes);
  tree.bind('/PGM/R3/Phys/Write/Bytes', () => accesses.writeBytes);
  tree.bind('/PGM/R3/PhysHandlerReset', () => handlers.resets);
  tree.bind('/PGM/R3/Page/ReplacedShared', () => pages.replaced.shared);
  // VirtualBox counts all replacements under RZ, wherever they happen.
  tree.bind('/PGM/RZ/Page/ReplacedZero', () => pages.replaced.zero);
  tree.bind('/PGM/LargePage/Alloc', () => largePages.counts.allocated);
  tree.bind('/PGM/LargePage/Reused', () => largePages.counts.reused);
  tree.bind('/PGM/LargePage/Refused', () => largePages.counts.refused);
  tree.bind('/PGM/LargePage/Recheck', () => largePages.counts.rechecked);
  tree.bind('/PGM/LargePage/Prof/Alloc', largePages.allocating);
  tree.bind('/PGM/LargePage/Prof/R3/IsValid', largePages.checking);
  tree.bind('/MM/cbRamBase', () =>
    ranges.all.reduce((size, range) => size + (range.kind === 'ram' ? range.end - range.start : 0), 0),
  );
  bindHost(tree, pages.backing);
  return tree;
}

function bindHost(tree: StatTree, { host, account, handy }: HostBacking): void {
  tree.bind('/PGM/Page/cHandyPages', () => handy.count);
  tree.bind('/PGM/ChunkR3Map/c', () => host.figures.mappedChunks);
  tree.bind('/PGM/ChunkR3Map/cMax', () => host.figures.maxMappedChunks);
  tree.bind('/PGM/ChunkR3Map/TlbMissesR3', () => host.figures.mappingMisses);
  tree.bind('/MM/Reserved/cBasePages', () => account.reserved.base);
  tree.bind('/MM/Reserved/cHandyPages', () => handy.size);
  tree.bind('/MM/Reserved/cShadowPages', () => account.reserved.shadow);
  tree.bind('/MM/Reserved/cFixedPages', () => account.reserved.fixed);
}
