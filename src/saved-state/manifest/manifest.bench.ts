import { openFile } from '../../../formats/files/source.ts';
import { type BenchRow, REFERENCE } from '../../bench/row.ts';
import { makeManifest } from './manifest.ts';

export const rows: BenchRow[] = [
  {
    name: 'manifest',
    against: [{ row: REFERENCE }, { row: 'sha256sum', atLeast: 1 / 0.6 }],
    async run({ state }) {
      await makeManifest(await openFile(state));
    },
  },
];
