import { UsageError } from '../../formats/errors.ts';
import { globMatcher } from '../../src/pgm/statistics/glob.ts';
import type { StatTree } from '../../src/pgm/statistics/stat-tree.ts';
import type { StatisticSample, StatisticValue } from '../../src/pgm/statistics/statistic.ts';
import { STAYS_ZERO } from '../../src/pgm/statistics/stays-zero.ts';
import { averageOf } from '../../src/pgm/statistics/timing.ts';
import { table } from '../terminal/table.ts';
import type { TerminalText } from '../terminal/terminal-text.ts';

/** Statistics as in the JSON. */
export type DescribedStatistic = Pick<StatisticSample, 'path' | 'kind' | 'unit' | 'description' | 'value'>;

/**
 * Statistics whose path fits the pattern; without a pattern, statistics that are not 0. @throws UsageError if no path
 * fits
 */
export function listStatistics(statistics: StatTree, pattern: string | undefined): DescribedStatistic[] {
  const all = statistics.list(pattern);
  if (all.length === 0)
    throw new UsageError(
      'no-statistic',
      `Cannot show ${pattern}: no statistic has such a name; without a pattern, statistics that are not 0 are shown`,
    );
  const shown = pattern === undefined ? all.filter(({ value }) => valueText(value) !== '0') : all;
  return shown.map(({ path, kind, unit, description, value }) => ({ path, kind, unit, description, value }));
}

export function statisticsText(statistics: readonly DescribedStatistic[]): TerminalText {
  const rows = statistics.map(({ path, value, unit, description }) => [
    path,
    typeof value === 'number' ? value : valueText(value),
    unit,
    meaningOf(path, description),
  ]);
  return table(['name', 'value', 'unit', 'meaning'], rows);
}

/** The description, with a reason if the value can only be 0. */
function meaningOf(path: string, description: string): string {
  const reason = Object.keys(STAYS_ZERO).find((pattern) => globMatcher(pattern)(path));
  return reason === undefined ? description : `${description} (always 0: ${STAYS_ZERO[reason]})`;
}

function valueText(value: StatisticValue): string {
  if (typeof value === 'number') return String(value);
  return value.periods === 0 ? '0' : `${averageOf(value)} (${value.periods} times, ${value.min} to ${value.max})`;
}
