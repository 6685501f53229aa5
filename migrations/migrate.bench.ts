import type { BenchContext, BenchRow, Figure } from '../src/bench/row.ts';
import { DEFAULT_LIMITS } from './policy/limits.ts';
import { measureMigration } from './testing/measured-migration.ts';
import { copyThroughSocket } from './testing/socket-copy.ts';

/** MB/s that the workload dirties. */
const DIRTY_RATES = [0, 20, 100, 400];

const FRESH_COPY = 'socket copy into fresh memory';

function migration(dirty: number, tls: boolean): BenchRow {
  const name = `migrate, ${dirty === 0 ? 'idle' : `${dirty} MB/s dirtied`}${tls ? ', TLS' : ''}`;
  const copy = `socket copy${tls ? ', TLS' : ''}`;
  return {
    name,
    against: [
      { row: copy, ...(dirty === 0 ? { atLeast: tls ? 0.65 : 0.5 } : {}) },
      ...(dirty === 0 && !tls
        ? [
            { row: FRESH_COPY, atLeast: 1 },
            { row: 'VirtualBox teleports', atLeast: 4 },
          ]
        : []),
    ],
    async run({ state }: BenchContext) {
      const { report, dirtied, sourceCpuMs, targetCpuMs, faults, lostSteps } = await measureMigration(state, {
        dirty,
        tls,
      });
      if (report.outcome !== 'handed-over' || faults > 0 || lostSteps > 0)
        throw new Error(`${name}: ${report.because}, ${faults} faults, ${lostSteps} lost steps`);
      const figures: Figure[] = [
        { name: 'stood still', value: report.downtimeMs, unit: 'ms', atMost: DEFAULT_LIMITS.maxDowntimeMs },
        { name: 'sent', value: report.bytes / 1e6, unit: 'MB' },
        { name: 'rounds', value: report.rounds.length, unit: '' },
        { name: 'CPU of the source', value: sourceCpuMs, unit: 'ms' },
        { name: 'CPU of the target', value: targetCpuMs, unit: 'ms' },
      ];
      if (dirty > 0) figures.unshift({ name: 'dirtied', value: dirtied, unit: 'MB/s' });
      return { ms: report.totalMs, figures };
    },
  };
}

/** As many bytes as the pages of the mixed state hold. */
function sizeIn({ ramMib }: BenchContext): number {
  return Math.floor(ramMib * 0.7 * 2 ** 20);
}

export const rows: BenchRow[] = [
  { name: 'socket copy', run: (context) => copyThroughSocket(sizeIn(context)) },
  { name: FRESH_COPY, run: (context) => copyThroughSocket(sizeIn(context), { fresh: true }) },
  { name: 'socket copy, TLS', run: (context) => copyThroughSocket(sizeIn(context), { tls: true }) },
  ...DIRTY_RATES.map((dirty) => migration(dirty, false)),
  migration(0, true),
];
