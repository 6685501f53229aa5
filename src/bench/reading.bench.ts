import { openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { openFileSink } from '../../formats/files/sink.ts';
import { MIB } from '../../formats/sizes.ts';
import { alignedBuffer } from './aligned-buffer.ts';
import { type BenchRow, LARGE_MIB, REFERENCE, REFERENCE_LARGE } from './row.ts';

// The limit of all that reads states: to read them from front to back, and to sum them up.

async function readPlainly(path: string, use: (bytes: Uint8Array) => Promise<void> | void): Promise<void> {
  const file = openSync(path, 'r');
  const buffer = alignedBuffer(MIB);
  for (let count = readSync(file, buffer); count > 0; count = readSync(file, buffer))
    await use(buffer.subarray(0, count));
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
  { name: REFERENCE, run: ({ state }) => readWithCrc(state) },
  { name: REFERENCE_LARGE, ramMib: LARGE_MIB, run: ({ state }) => readWithCrc(state) },
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
];
