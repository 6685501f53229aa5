import { xxh64Batch } from '../../formats/kernels/xxh64.ts';
import { MIB, PAGE_SIZE } from '../../formats/sizes.ts';
import type { BenchContext, BenchRow } from '../bench/row.ts';
import { HostMemory } from '../gmm/host-memory.ts';
import { CHUNK_SIZE } from '../gmm/page-id.ts';
import { GuestMemory } from './guest-memory.ts';
import { HostBacking } from './pages/host-backing.ts';
import { PageSharing } from './sharing/page-sharing.ts';

const SCANNED = 256 * MIB;
const MAPPED_CHUNKS = 32;
const PAGE = new Uint8Array(PAGE_SIZE);

function machineOn(host: HostMemory, ram: number): GuestMemory {
  const memory = new GuestMemory(new HostBacking(host));
  memory.registerRam(0, ram, 'Base RAM');
  return memory;
}

/** Writes all pages, each with bytes of its own. */
function writeAll(memory: GuestMemory, ram: number): void {
  const view = new DataView(PAGE.buffer);
  for (let at = 0; at < ram; at += PAGE_SIZE) {
    view.setFloat64(0, at);
    memory.write(at, PAGE);
  }
}

/** @returns milliseconds of the last of three rounds */
function third(run: () => void): number {
  run();
  run();
  const start = performance.now();
  run();
  return performance.now() - start;
}

function hashPlainly(): number {
  const chunk = new Uint8Array(SCANNED);
  for (let at = 0; at < SCANNED; at += PAGE_SIZE) chunk[at] = at >> 12;
  const at = Uint32Array.from({ length: CHUNK_SIZE / PAGE_SIZE }, (_, i) => i * PAGE_SIZE);
  const hashes = new BigUint64Array(at.length);
  return third(() => {
    for (let done = 0; done < SCANNED; done += CHUNK_SIZE)
      xxh64Batch(chunk.subarray(done, done + CHUNK_SIZE), at, PAGE_SIZE, at.length, hashes);
  });
}

function scanForEqualPages(): number {
  const host = new HostMemory();
  const memory = machineOn(host, SCANNED);
  writeAll(memory, SCANNED);
  const sharing = new PageSharing(host);
  sharing.add(memory);
  return third(() => sharing.scanAll());
}

function writeTwice({ folder, ramMib }: BenchContext, maxMappedChunks?: number): void {
  const host = new HostMemory({ folder, ...(maxMappedChunks !== undefined && { maxMappedChunks }) });
  const memory = machineOn(host, ramMib * MIB);
  for (let round = 0; round < 2; round++) writeAll(memory, ramMib * MIB);
  host.close();
}

export const rows: BenchRow[] = [
  { name: 'hash the pages of 256 MiB', run: hashPlainly },
  {
    name: 'scan 256 MiB for equal pages',
    run: scanForEqualPages,
    against: [{ row: 'hash the pages of 256 MiB', atLeast: 0.5 }],
  },
  { name: 'write all pages twice', run: (context) => writeTwice(context) },
  {
    name: 'write all pages twice, 64 MiB in memory',
    run: (context) => writeTwice(context, MAPPED_CHUNKS),
    against: [{ row: 'write all pages twice' }],
    peakRssMib: 192,
  },
];
