import type { BenchContext, BenchRow } from '../src/bench/row.ts';
import { measureMigration } from './testing/measured-migration.ts';
import { copyThroughSocket } from './testing/socket-copy.ts';

/** MB/s that the workload dirties. */
const DIRTY_RATES = [0, 20, 100, 400];

function migration(dirty: number, tls: boolean): BenchRow {
  const name = `migrate, ${dirty === 0 ? 'idle' : `${dirty} MB/s dirtied`}${tls ? ', TLS' : ''}`;
  const copy = `socket copy${tls ? ', TLS' : ''}`;
  return {
    name,
    against: [{ row: copy, ...(dirty === 0 ? { atLeast: 0.5 } : {}) }, ...(dirty === 0 && !tls ? [{ row: 'VirtualBox teleports', atLeast: 4 }] : [])],
    async run({ state }: BenchContext) {
      const { report, sourceCpuMs, targetCpuMs, faults, lostSteps } = await measureMigration(state, { dirty, tls });
      if (report.outcome !== 'handed-over' || faults > 0 || lostSteps > 0)
        throw new Error(`${name}: ${report.because}, ${faults} faults, ${lostSteps} lost steps`);
      const { downtimeMs, bytes, totalMs, rounds } = report;
      const seconds = (ms: number) => (ms / 1000).toFixed(2);
      console.error(
        `${name}: ${seconds(totalMs)} s in ${rounds.length} rounds, stood still ${downtimeMs.toFixed(0)} ms, ${(bytes / 1e6).toFixed(0)} MB; CPU ${seconds(sourceCpuMs)} s here, ${seconds(targetCpuMs)} s there`,
      );
      return totalMs;
    },
  };
}

export const rows: BenchRow[] = [
  { name: 'socket copy', run: ({ ramMib }) => copyThroughSocket(Math.floor(ramMib * 0.7 * 2 ** 20), false) },
  { name: 'socket copy, TLS', run: ({ ramMib }) => copyThroughSocket(Math.floor(ramMib * 0.7 * 2 ** 20), true) },
  ...DIRTY_RATES.map((dirty) => migration(dirty, false)),
  migration(0, true),
];
