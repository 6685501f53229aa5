import { existsSync, openSync, readFileSync, readSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { openFileSink } from '../../formats/binary/sink.ts';
import { openFile } from '../../formats/binary/source.ts';
import { MIB } from '../../formats/units.ts';
import { type ConvertRun, convert } from '../saved-state/convert/convert.ts';
import { extract } from '../saved-state/extract.ts';
import { walkState } from '../saved-state/walk.ts';

// One job of the bench in a process of its own: node job.js NAME STATE FOLDER. Prints its milliseconds and its peak memory as JSON.

const [name, state, folder] = process.argv.slice(2);

/** Reads a file from front to back; the limit of all that reads. */
function readPlainly(use: (bytes: Uint8Array) => void): void {
  const file = openSync(state, 'r');
  const buffer = Buffer.alloc(MIB);
  for (let count = readSync(file, buffer); count > 0; count = readSync(file, buffer)) use(buffer.subarray(0, count));
}

/** The image goes nowhere: writing gigabytes would measure the machine's disk, and that is what `extract to file` does. */
const nowhere = { async writeAt() {}, async truncate() {} };

/** The result is removed before it would be made durable: that is the disk's time. */
async function convertTo(options: ConvertRun): Promise<void> {
  const sink = await openFileSink(join(folder, 'converted.sav'), { force: true });
  await convert(await openFile(state), sink, options);
  await sink.abort();
}

const JOBS: Record<string, () => Promise<void> | void> = {
  start: () => {},
  read: () => readPlainly(() => {}),
  'read + crc': () => {
    let crc = 0;
    readPlainly((bytes) => {
      crc = crc32(bytes, crc);
    });
    if (crc === 1) throw new Error('impossible, but now the CRC is used');
  },
  'deep verify': async () => {
    await walkState(await openFile(state), { deep: true });
  },
  'extract raw': async () => {
    await extract(await openFile(state), nowhere, { format: 'raw' });
  },
  'read + crc + write': async () => {
    const sink = await openFileSink(join(folder, 'copy.sav'), { force: true });
    let position = 0;
    let crc = 0;
    const file = openSync(state, 'r');
    const buffer = Buffer.alloc(MIB);
    for (let count = readSync(file, buffer); count > 0; count = readSync(file, buffer)) {
      crc = crc32(buffer.subarray(0, count), crc);
      await sink.writeAt(buffer.subarray(0, count), position);
      position += count;
    }
    await sink.abort();
  },
  'convert, pass-through': () => convertTo({ pgm: 13, proof: false }),
  'convert, re-encode': () => convertTo({ pgm: 13, proof: false, recompress: true }),
  'convert, pass-through, proof': () => convertTo({ pgm: 13 }),
  'convert, re-encode, proof': () => convertTo({ pgm: 13, recompress: true }),
  'extract raw to file': async () => {
    const path = join(folder, 'image.raw');
    const sink = await openFileSink(path, { force: true });
    await extract(await openFile(state), sink, { format: 'raw' });
    await sink.commit();
    rmSync(path);
  },
};

/** Bytes. The usual figure of the operating system counts the parent's memory before the process began, so ask the kernel where it is Linux. */
function peakMemory(): number {
  const status = existsSync('/proc/self/status') ? readFileSync('/proc/self/status', 'utf8') : '';
  const [, kib] = /VmHWM:\s+(\d+) kB/.exec(status) ?? [];
  return (kib === undefined ? process.resourceUsage().maxRSS : Number(kib)) * 1024;
}

const start = performance.now();
await JOBS[name]();
const ms = performance.now() - start;
writeFileSync(1, JSON.stringify({ ms, rss: peakMemory() }));
process.exit(0);
