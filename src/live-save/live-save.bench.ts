import { openFile } from '../../formats/files/source.ts';
import { PAGE_SIZE } from '../../formats/sizes.ts';
import type { BenchContext, BenchRow } from '../bench/row.ts';
import { loadState } from '../machine/load.ts';
import { RunningMachine } from '../running/running-machine.ts';
import { DirtyTracker } from './dirty-tracker.ts';
import { type LiveSaveReport, liveSave } from './live-save.ts';
import { plainSave } from './plain-save.ts';

/** Where a state goes is not what is measured. */
const nowhere = { async write() {} };

/** The machine of the state, running a workload that dirties so many bytes per second. */
async function runningMachine({ state }: BenchContext, bytesPerSecond: number): Promise<RunningMachine> {
  const source = await openFile(state);
  const machine = await loadState(source);
  await source.close();
  const rate = Math.round(bytesPerSecond / PAGE_SIZE);
  const running = RunningMachine.of(machine, rate > 0 ? { kind: 'random', rate } : { kind: 'idle' });
  running.resume();
  return running;
}

async function saveLive(context: BenchContext, bytesPerSecond: number): Promise<LiveSaveReport> {
  const running = await runningMachine(context, bytesPerSecond);
  const report = await liveSave(running, nowhere);
  running.stop();
  if (running.selfCheck().faults.length > 0) throw new Error('the machine lost memory while it was saved');
  return report;
}

const PLAIN = 'save a machine that stands';

const live = (name: string, bytesPerSecond: number, atLeast: number): BenchRow => ({
  name: `save it live, ${name}`,
  against: [{ row: PLAIN, atLeast }],
  run: async (context) => (await saveLive(context, bytesPerSecond)).totalMs,
});

export const rows: BenchRow[] = [
  { name: PLAIN, run: async (context) => plainSave(await runningMachine(context, 0), nowhere) },
  live('idle', 0, 0.7),
  live('20 MB/s dirtied', 20e6, 0.5),
  live('100 MB/s dirtied', 100e6, 0.25),
  {
    name: 'downtime of a live save, 20 MB/s dirtied',
    against: [{ row: PLAIN, atLeast: 20 }],
    run: async (context) => (await saveLive(context, 20e6)).downtimeMs,
  },
  {
    name: 'first dirty scan of all memory',
    against: [{ row: PLAIN, atLeast: 10 }],
    async run(context) {
      const { memory } = await runningMachine(context, 0);
      const tracker = new DirtyTracker(memory, 'bench');
      tracker.prepare();
      const start = performance.now();
      await tracker.scan(0);
      return performance.now() - start;
    },
  },
];
