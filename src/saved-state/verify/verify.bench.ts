import { openFile } from '../../../formats/files/source.ts';
import { type BenchContext, type BenchRow, LARGE_MIB, REFERENCE, REFERENCE_LARGE } from '../../bench/row.ts';
import { verify } from './verify.ts';

async function verifyBy(threads: number, { state }: BenchContext): Promise<void> {
  const { verdict } = await verify(await openFile(state), { threads });
  if (verdict !== 'whole') throw new Error(`The state is ${verdict}`);
}

export const rows: BenchRow[] = [
  {
    name: 'deep verify',
    peakRssMib: 64,
    against: [{ row: REFERENCE }, { row: 'VirtualBox restores', atLeast: 2 }],
    run: (context) => verifyBy(1, context),
  },
  {
    name: 'deep verify, 4 GiB',
    ramMib: LARGE_MIB,
    against: [{ row: REFERENCE_LARGE, atLeast: 0.55 }],
    run: (context) => verifyBy(1, context),
  },
  {
    name: 'deep verify, 2 threads',
    peakRssMib: 96,
    against: [{ row: 'deep verify' }],
    run: (context) => verifyBy(2, context),
  },
  {
    name: 'deep verify, 4 GiB, 2 threads',
    ramMib: LARGE_MIB,
    against: [
      { row: 'deep verify, 4 GiB', atLeast: 0.95, atLeastIfScaling: 1.5 },
      { row: REFERENCE_LARGE, atLeastIfScaling: 0.75 },
    ],
    run: (context) => verifyBy(2, context),
  },
];
