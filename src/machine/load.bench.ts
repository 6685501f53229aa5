import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { openFileSink } from '../../formats/files/sink.ts';
import { openFile } from '../../formats/files/source.ts';
import { GIB, MIB, PAGE_SIZE } from '../../formats/sizes.ts';
import { type BenchContext, type BenchRow, REFERENCE } from '../bench/row.ts';
import { emptyMachine } from '../running/empty-machine.ts';
import { type LoadOptions, loadState } from './load.ts';
import type { Machine } from './machine.ts';
import { openMachine } from './opened-machine.ts';
import { saveState } from './save.ts';

const RAM = 5 * GIB;
/** Content like that of a real machine of this size which has just booted: 8 MiB, half of it above 4 GiB. */
const CONTENT = 4 * MIB;
const MAX_RSS = 200 * MIB;

function statePath({ folder }: BenchContext): string {
  return join(folder, 'mostly-zero-5gib.sav');
}

async function loadFrom(path: string, options: LoadOptions = {}): Promise<Machine> {
  const source = await openFile(path);
  try {
    return await loadState(source, options);
  } finally {
    await source.close();
  }
}

export const rows: BenchRow[] = [
  {
    name: 'load a machine',
    against: [{ row: REFERENCE }],
    async run({ state }) {
      await loadFrom(state);
    },
  },
  {
    name: 'count the pages of a state',
    peakRssMib: 96,
    against: [{ row: 'deep verify' }],
    async run({ state }) {
      const { statistics } = await loadFrom(state, { contents: 'judged' });
      if (statistics.list('/PGM/Page/*').length === 0) throw new Error('Nothing was counted');
    },
  },
  {
    name: 'look into a state',
    peakRssMib: 96,
    against: [{ row: 'deep verify' }],
    async run({ state }) {
      const source = await openFile(state);
      const machine = await openMachine(source);
      if (machine.peek(0x10_0000, 4096).bytes.length !== 4096) throw new Error('Nothing was read');
      machine.close();
      await source.close();
    },
  },
  {
    name: 'save a loaded machine',
    against: [{ row: REFERENCE }],
    async run({ state, folder }) {
      const machine = await loadFrom(state);
      const sink = await openFileSink(join(folder, 'saved.sav'), { force: true });
      const start = performance.now();
      await saveState(machine, sink);
      const ms = performance.now() - start;
      await sink.abort();
      return ms;
    },
  },
  {
    name: 'load 5 GiB of RAM, mostly zero',
    async prepare(context) {
      if (existsSync(statePath(context))) return;
      const machine = await emptyMachine(RAM);
      for (const [i, { start }] of machine.memory.ranges.all
        .filter(({ pages }) => pages * PAGE_SIZE > CONTENT)
        .entries()) {
        for (let at = 0; at < CONTENT; at += PAGE_SIZE)
          machine.memory.fill(start + at, PAGE_SIZE, (i + at / PAGE_SIZE) % 251);
      }
      const sink = await openFileSink(statePath(context));
      await saveState(machine, sink);
      await sink.commit();
    },
    async run(context) {
      const start = performance.now();
      const machine = await loadFrom(statePath(context));
      const ms = performance.now() - start;
      const rss = process.resourceUsage().maxRSS * 1024;
      if (machine.memory.pages.counts.private < (2 * CONTENT * 250) / 251 / PAGE_SIZE)
        throw new Error('The state has lost its content');
      if (rss > MAX_RSS)
        throw new Error(`Loading took ${Math.round(rss / MIB)} MiB, expected at most ${MAX_RSS / MIB}`);
      return ms;
    },
  },
];
