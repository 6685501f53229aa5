import { openFile } from '../../../formats/files/source.ts';
import { makeRandomState, randomState } from '../../bench/random-state.ts';
import { type BenchRow, REFERENCE } from '../../bench/row.ts';
import { verify } from './verify.ts';

export const rows: BenchRow[] = [
  {
    name: 'deep verify',
    peakRssMib: 64,
    against: [
      { row: REFERENCE, atLeast: 0.35 },
      { row: 'VirtualBox restores', atLeast: 2 },
    ],
    async run({ state }) {
      await verify(await openFile(state), { threads: 1 });
    },
  },
  {
    name: 'deep verify, incompressible',
    prepare: makeRandomState,
    against: [{ row: 'read + CRC-32, incompressible', atLeast: 0.8 }],
    async run(context) {
      await verify(await openFile(randomState(context)), { threads: 1 });
    },
  },
  {
    name: 'deep verify, 2 threads',
    peakRssMib: 96,
    against: [{ row: 'deep verify', atLeast: 0.9, atLeastIfScaling: 1.25 }],
    async run({ state }) {
      await verify(await openFile(state), { threads: 2 });
    },
  },
];
