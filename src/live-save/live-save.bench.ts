import { openFile } from '../../formats/files/source.ts';
import { GIB, PAGE_SIZE } from '../../formats/sizes.ts';
import type { BenchContext, BenchRow, Figure } from '../bench/row.ts';
import { loadState } from '../machine/load.ts';
import { emptyMachine } from '../running/empty-machine.ts';
import { RunningMachine } from '../running/running-machine.ts';
import { DirtyTracker } from './dirty-tracker.ts';
import { type LiveSaveReport, liveSave } from './live-save.ts';
import { plainSave } from './plain-save.ts';

/** Writing of the state is not measured. */
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

/** RAM of a large machine; nearly all of it is zero, so that it needs little memory here. */
const LARGE = 64 * GIB;
const MAX_PASS_MS = 5;
const MAX_DOWNTIME_MS = { 0: 15, 1000: 15, 20000: 250 } as const;

/** A live save of a large machine costs time for finding the pages to copy, not for copying them. */
const large = (pagesPerSecond: keyof typeof MAX_DOWNTIME_MS): BenchRow => ({
  name: `save 64 GiB live, ${pagesPerSecond === 0 ? 'idle' : `${pagesPerSecond} pages/s dirtied`}`,
  async run() {
    const running = RunningMachine.of(
      await emptyMachine(LARGE),
      pagesPerSecond > 0 ? { kind: 'random', rate: pagesPerSecond } : { kind: 'idle' },
    );
    running.resume();
    const { passes, totalMs, downtimeMs } = await liveSave(running, nowhere);
    running.stop();
    const figures: Figure[] = [
      { name: 'stood still', value: downtimeMs, unit: 'ms', atMost: MAX_DOWNTIME_MS[pagesPerSecond] },
      { name: 'passes', value: passes.length, unit: '' },
    ];
    // Pass 0 takes all pages, and pass 1 those that had content; in later passes an idle machine costs only the search.
    const later = passes.slice(2, -1).map(({ ms }) => ms);
    if (pagesPerSecond === 0)
      figures.push({
        name: 'a pass',
        value: later.sort((a, b) => a - b)[later.length >> 1],
        unit: 'ms',
        atMost: MAX_PASS_MS,
      });
    return { ms: totalMs, figures };
  },
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
  large(0),
  large(1000),
  large(20_000),
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
