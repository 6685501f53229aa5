import { beforeAll, describe, expect, it } from 'vitest';
import { MIB } from '../../formats/sizes.ts';
import { DirtyTracker } from '../live-save/dirty-tracker.ts';
import { bindLiveStatistics } from '../live-save/live-counters.ts';
import { CPU_STATISTICS } from '../pgm/statistics/cpu-statistics.ts';
import { globMatcher } from '../pgm/statistics/glob.ts';
import { MEMORY_STATISTICS } from '../pgm/statistics/memory-statistics.ts';
import { RELEASE_STATISTICS } from '../pgm/statistics/release-statistics.ts';
import type { StatTree } from '../pgm/statistics/stat-tree.ts';
import { statisticsOf } from '../pgm/statistics/statistic.ts';
import { STAYS_ZERO } from '../pgm/statistics/stays-zero.ts';
import { emptyMachine } from '../running/empty-machine.ts';
import { specTable } from '../testing/spec-tables.ts';

const CPUS = 2;
const UNITS: Readonly<Record<string, string>> = {
  COUNT: 'count',
  OCCURENCES: 'occurrences',
  BYTES: 'bytes',
  TICKS_PER_CALL: 'ticks-per-call',
};
/** All statistics that VirtualBox's page manager registers (guest-memory.md 13). */
const ROWS = specTable('guest-memory.md', '13', 'Path');

/** `{A,B}` stands for each of them, `%u` for each CPU. */
function pathsOf(pattern: string): string[] {
  const [, before, choices, after] = /^(.*?)\{(.*?)\}(.*)$/.exec(pattern) ?? [];
  const paths = choices === undefined ? [pattern] : choices.split(',').map((choice) => `${before}${choice}${after}`);
  return paths.flatMap((path) =>
    path.includes('%u') ? Array.from({ length: CPUS }, (_, cpu) => path.replace('%u', `${cpu}`)) : [path],
  );
}

const known = new Map(
  [...statisticsOf([...RELEASE_STATISTICS, ...MEMORY_STATISTICS, ...CPU_STATISTICS], CPUS)].map((each) => [
    each.path,
    each,
  ]),
);
let statistics: StatTree;
beforeAll(async () => {
  const machine = await emptyMachine(4 * MIB, { cpus: CPUS });
  machine.usePaging({ host: 'PAE+NX', hardware: false });
  bindLiveStatistics(machine.statistics, () => new DirtyTracker(machine.memory, 'test').counts);
  statistics = machine.statistics;
});

describe('each row of the statistics in guest-memory.md', () => {
  it.each(ROWS)('%s: %s of %s', (pattern, type, unit) => {
    const paths = pathsOf(pattern);
    for (const path of paths) {
      const found = known.get(path);
      expect([path, found?.kind, found?.unit]).toEqual([path, type.toLowerCase(), UNITS[unit]]);
      const isIdle = Object.keys(STAYS_ZERO).some((idle) => globMatcher(idle)(path));
      expect([path, statistics.isBound(path)]).toEqual([path, !isIdle]);
    }
  });

  it('is a statistic of a machine; further ones of a machine are below /MM/', () => {
    const rows = new Set(ROWS.flatMap(([pattern]) => pathsOf(pattern)));
    expect(statistics.paths.filter((path) => !rows.has(path) && !path.startsWith('/MM/'))).toEqual([]);
    expect([...rows].filter((path) => !path.includes('/CPU1/'))).toHaveLength(274);
  });
});
