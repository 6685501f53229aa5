import { join } from 'node:path';
import { openFileSink } from '../../../formats/files/sink.ts';
import { openFile } from '../../../formats/files/source.ts';
import { type BenchContext, type BenchRow, LARGE_MIB } from '../../bench/row.ts';
import { type ConvertRun, convert } from './convert.ts';

/** Converts a state, and removes the result before it is made durable, since that would be the disk's time. */
async function convertTo({ state, folder }: BenchContext, options: ConvertRun): Promise<void> {
  const sink = await openFileSink(join(folder, 'converted.sav'), { force: true });
  await convert(await openFile(state), sink, options);
  await sink.abort();
}

export const rows: BenchRow[] = [
  {
    name: 'convert, pass-through',
    against: [
      { row: 'convert, re-encode', atLeast: 2 },
      { row: 'VirtualBox saves', atLeast: 4 },
    ],
    run: (context) => convertTo(context, { pgm: 13, proof: false, threads: 1 }),
  },
  {
    name: 'convert, re-encode',
    against: [
      { row: 'read + CRC-32 + write', atLeast: 0.25 },
      { row: 'VirtualBox saves', atLeast: 2 },
    ],
    run: (context) => convertTo(context, { pgm: 13, proof: false, recompress: true, threads: 1 }),
  },
  {
    name: 'convert, re-encode, 2 threads',
    peakRssMib: 96,
    against: [
      { row: 'convert, re-encode', atLeast: 0.95 },
      { row: 'read + CRC-32 + write', atLeast: 0.25 },
      { row: 'VirtualBox saves', atLeast: 2 },
    ],
    run: (context) => convertTo(context, { pgm: 13, proof: false, recompress: true, threads: 2 }),
  },
  {
    name: 'convert, re-encode, 4 GiB',
    ramMib: LARGE_MIB,
    run: (context) => convertTo(context, { pgm: 13, proof: false, recompress: true, threads: 1 }),
  },
  {
    name: 'convert, re-encode, 4 GiB, 2 threads',
    ramMib: LARGE_MIB,
    against: [{ row: 'convert, re-encode, 4 GiB', atLeast: 0.95, atLeastIfScaling: 1.5 }],
    run: (context) => convertTo(context, { pgm: 13, proof: false, recompress: true, threads: 2 }),
  },
  {
    name: 'convert, pass-through, proof',
    peakRssMib: 80,
    against: [{ row: 'convert, re-encode, proof' }, { row: 'cp', atLeast: 0.25 }],
    run: (context) => convertTo(context, { pgm: 13, threads: 1 }),
  },
  {
    name: 'convert, re-encode, proof',
    peakRssMib: 80,
    against: [{ row: 'read + CRC-32 + write' }],
    run: (context) => convertTo(context, { pgm: 13, recompress: true, threads: 1 }),
  },
  {
    name: 'convert, re-encode, proof, 2 threads',
    against: [{ row: 'read + CRC-32 + write' }],
    run: (context) => convertTo(context, { pgm: 13, recompress: true, threads: 2 }),
  },
];
