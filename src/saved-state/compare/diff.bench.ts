import { openFile } from '../../../formats/files/source.ts';
import { copyOf, makeCopy } from '../../bench/peers.bench.ts';
import { type BenchRow, REFERENCE } from '../../bench/row.ts';
import { diffStates } from './diff.ts';

export const rows: BenchRow[] = [
  {
    name: 'diff of a state with its copy',
    prepare: makeCopy,
    against: [{ row: REFERENCE }, { row: 'cmp', atLeast: 0.2 }],
    async run(context) {
      const { equal } = await diffStates(await openFile(context.state), await openFile(copyOf(context)));
      if (!equal) throw new Error('A state differs from its copy');
    },
  },
];
