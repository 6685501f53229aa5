import { UsageError } from '../../formats/errors.ts';
import type { StatisticValue } from '../pgm/statistics/statistic.ts';
import { type Answer, linesOf } from './answer.ts';
import type { ConsoleSession } from './session.ts';

/** `stats [GLOB]`: statistics of the page manager, by VirtualBox's names. */
export function showStatistics({ machine }: ConsoleSession, pattern: string | undefined): Answer {
  const samples = machine.statistics.list(pattern ?? '/PGM/Page/*');
  const width = Math.max(0, ...samples.map(({ path }) => path.length));
  const lines = samples.map(({ path, value, unit }) => `${path.padEnd(width)}  ${valueText(value)} ${unit}`);
  if (samples.length === 0)
    throw new UsageError('no-statistic', `Cannot show ${pattern}: no statistic has such a name`);
  return linesOf(
    lines,
    samples.map(({ path, value, unit }) => ({ path, value, unit })),
  );
}

/** `statsreset [GLOB]`: counters and times start from zero. */
export function resetStatistics({ machine }: ConsoleSession, pattern: string | undefined): Answer {
  machine.statistics.reset(pattern);
  return linesOf(['done']);
}

function valueText(value: StatisticValue): string {
  return typeof value === 'number' ? String(value) : `${value.periods} times, ${value.ticks} in all`;
}
