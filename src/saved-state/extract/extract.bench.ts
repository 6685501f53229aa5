import { join } from 'node:path';
import { openFileSink } from '../../../formats/files/sink.ts';
import { openFile } from '../../../formats/files/source.ts';
import { type BenchContext, type BenchRow, LARGE_MIB, REFERENCE } from '../../bench/row.ts';
import { extract } from './extract.ts';

/** The image goes nowhere: writing gigabytes would measure the machine's disk, as `extract raw to file` does. */
const nowhere = { async writeAt() {}, async truncate() {} };

function toNowhere(threads: number, { state }: BenchContext) {
  return openFile(state).then((source) => extract(source, nowhere, { format: 'raw', threads }));
}

export const rows: BenchRow[] = [
  {
    name: 'extract raw',
    peakRssMib: 64,
    against: [{ row: REFERENCE }, { row: 'VirtualBox restores', atLeast: 1.2 }],
    run: (context) => toNowhere(1, context),
  },
  {
    name: 'extract raw, 2 threads',
    peakRssMib: 96,
    against: [{ row: 'extract raw' }],
    run: (context) => toNowhere(2, context),
  },
  { name: 'extract raw, 4 GiB', ramMib: LARGE_MIB, run: (context) => toNowhere(1, context) },
  {
    name: 'extract raw, 4 GiB, 2 threads',
    ramMib: LARGE_MIB,
    against: [{ row: 'extract raw, 4 GiB', atLeast: 0.95, atLeastIfScaling: 1.5 }],
    run: (context) => toNowhere(2, context),
  },
  {
    name: 'extract raw to file',
    against: [{ row: REFERENCE }, { row: 'cp --sparse=never', atLeast: 1 / 1.1 }],
    async run({ state, folder }) {
      const path = join(folder, 'image.raw');
      const start = performance.now();
      const sink = await openFileSink(path, { force: true });
      await extract(await openFile(state), sink, { format: 'raw' });
      const ms = performance.now() - start;
      // cp neither makes its file durable nor removes it.
      await sink.abort();
      return ms;
    },
  },
];
