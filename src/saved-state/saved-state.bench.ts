import { existsSync, openSync, readSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { openFileSink } from '../../formats/binary/sink.ts';
import { openFile } from '../../formats/binary/source.ts';
import { MIB } from '../../formats/units.ts';
import { makeState } from '../bench/make-state.ts';
import { RandomPages } from '../bench/mixed-pages.ts';
import { type BenchContext, type BenchRow, REFERENCE } from '../bench/row.ts';
import { type ConvertRun, convert } from './convert/convert.ts';
import { extract, type ImageTarget } from './extract.ts';
import { verify } from './verify.ts';

/** Reads a file from front to back; the limit of all that reads. */
async function readPlainly(path: string, use: (bytes: Uint8Array) => Promise<void> | void): Promise<void> {
  const file = openSync(path, 'r');
  const buffer = Buffer.alloc(MIB);
  for (let count = readSync(file, buffer); count > 0; count = readSync(file, buffer)) await use(buffer.subarray(0, count));
}

/** The image goes nowhere: writing gigabytes would measure the machine's disk, and that is what `extract raw to file` does. */
const nowhere = { async writeAt() {}, async truncate() {} };

/** The same, for several threads: they want a file. */
function nullFile(): ImageTarget {
  const fd = openSync('/dev/null', 'w');
  return { ...nowhere, fd };
}

/** The result is removed before it would be made durable: that is the disk's time. */
async function convertTo({ state, folder }: BenchContext, options: ConvertRun): Promise<void> {
  const sink = await openFileSink(join(folder, 'converted.sav'), { force: true });
  await convert(await openFile(state), sink, options);
  await sink.abort();
}

const RANDOM_RAM = 1024 * MIB;
const randomState = ({ folder }: BenchContext) => join(folder, 'random-1024.sav');

async function makeRandomState(context: BenchContext): Promise<void> {
  if (!existsSync(randomState(context))) await makeState(randomState(context), RANDOM_RAM, new RandomPages());
}

async function readWithCrc(path: string): Promise<void> {
  let crc = 0;
  await readPlainly(path, (bytes) => {
    crc = crc32(bytes, crc);
  });
  if (crc === 1) throw new Error('impossible, but now the CRC is used');
}

export const rows: BenchRow[] = [
  { name: 'read', run: ({ state }) => readPlainly(state, () => {}) },
  {
    name: REFERENCE,
    run: ({ state }) => readWithCrc(state),
  },
  { name: 'read + CRC-32, incompressible', prepare: makeRandomState, run: (context) => readWithCrc(randomState(context)) },
  {
    name: 'deep verify, incompressible',
    prepare: makeRandomState,
    against: [{ row: 'read + CRC-32, incompressible', atLeast: 0.8 }],
    async run(context) {
      await verify(await openFile(randomState(context)), { threads: 1 });
    },
  },
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
    name: 'extract raw',
    peakRssMib: 64,
    against: [{ row: REFERENCE }, { row: 'VirtualBox restores', atLeast: 1.2 }],
    async run({ state }) {
      await extract(await openFile(state), nowhere, { format: 'raw', threads: 1 });
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
  {
    name: 'extract raw, 2 threads',
    peakRssMib: 96,
    against: [{ row: 'extract raw', atLeast: 0.9, atLeastIfScaling: 1.25 }],
    async run({ state }) {
      await extract(await openFile(state), nullFile(), { format: 'raw', threads: 2 });
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
  {
    name: 'read + CRC-32 + write',
    async run({ state, folder }) {
      const sink = await openFileSink(join(folder, 'copy.sav'), { force: true });
      let position = 0;
      let crc = 0;
      await readPlainly(state, async (bytes) => {
        crc = crc32(bytes, crc);
        await sink.writeAt(bytes, position);
        position += bytes.length;
      });
      await sink.abort();
    },
  },
  {
    name: 'convert, pass-through',
    against: [
      { row: 'convert, re-encode', atLeast: 2 },
      { row: 'VirtualBox saves', atLeast: 4 },
    ],
    run: (context) => convertTo(context, { pgm: 13, proof: false }),
  },
  {
    name: 'convert, re-encode',
    against: [
      { row: 'read + CRC-32 + write', atLeast: 0.25 },
      { row: 'VirtualBox saves', atLeast: 2 },
    ],
    run: (context) => convertTo(context, { pgm: 13, proof: false, recompress: true }),
  },
  {
    name: 'convert, pass-through, proof',
    peakRssMib: 80,
    against: [{ row: 'convert, re-encode, proof' }],
    run: (context) => convertTo(context, { pgm: 13 }),
  },
  { name: 'convert, re-encode, proof', peakRssMib: 80, run: (context) => convertTo(context, { pgm: 13, recompress: true }) },
];
