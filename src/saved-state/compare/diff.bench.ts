import { openFile } from '../../../formats/files/source.ts';
import { type BenchRow, REFERENCE } from '../../bench/row.ts';
import { diffStates } from './diff.ts';

export const rows: BenchRow[] = [
  {
    name: 'diff of a state with itself',
    against: [{ row: REFERENCE }],
    async run({ state }) {
      const { equal } = await diffStates(await openFile(state), await openFile(state));
      if (!equal) throw new Error('A state differs from itself');
    },
  },
];
