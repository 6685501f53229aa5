import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { openFileSink } from '../../../formats/files/sink.ts';
import { openFile } from '../../../formats/files/source.ts';
import { type BenchRow, REFERENCE } from '../../bench/row.ts';
import { extract } from './extract.ts';

/**
 * The image goes nowhere: writing gigabytes would measure the machine's disk, and that is what `extract raw to file`
 * does.
 */
const nowhere = { async writeAt() {}, async truncate() {} };

export const rows: BenchRow[] = [
  {
    name: 'extract raw',
    peakRssMib: 64,
    against: [{ row: REFERENCE }, { row: 'VirtualBox restores', atLeast: 1.2 }],
    async run({ state }) {
      await extract(await openFile(state), nowhere, { format: 'raw', threads: 1 });
    },
  },
  {
    name: 'extract raw, 2 threads',
    peakRssMib: 96,
    against: [{ row: 'extract raw', atLeast: 0.9, atLeastIfScaling: 1.25 }],
    async run({ state }) {
      await extract(await openFile(state), nowhere, { format: 'raw', threads: 2 });
    },
  },
  {
    name: 'extract raw to file',
    against: [{ row: REFERENCE }],
    async run({ state, folder }) {
      const path = join(folder, 'image.raw');
      const sink = await openFileSink(path, { force: true });
      await extract(await openFile(state), sink, { format: 'raw' });
      await sink.commit();
      rmSync(path);
    },
  },
];
