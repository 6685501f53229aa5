import { MIB, PAGE_SIZE } from '../../formats/sizes.ts';
import type { BenchRow } from '../bench/row.ts';
import { CHUNK_SIZE } from '../gmm/page-id.ts';
import { GuestMemory } from './guest-memory.ts';

const SIZE = 256 * MIB;
const SMALL = 64;
const SMALL_WRITES = 2 ** 20;
const PAGE = new Uint8Array(PAGE_SIZE).fill(7);
const FEW = new Uint8Array(SMALL).fill(9);
const ROUNDS = 7;
/** Pages of 1 GiB. */
const SCANNED = 262_144;
const MAX_SCAN_MS = 2;

/** The fastest of some rounds, in milliseconds, since it was disturbed least. */
function fastest(job: () => void, before: () => void = () => {}): number {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round++) {
    before();
    const start = performance.now();
    job();
    best = Math.min(best, performance.now() - start);
  }
  return best;
}

function filledMemory(size = SIZE): GuestMemory {
  const memory = new GuestMemory();
  memory.registerRam(0, size, 'Base RAM');
  for (let at = 0; at < size; at += PAGE_SIZE) memory.write(at, PAGE);
  return memory;
}

/** Bare memory in pieces as large as the host's chunks. */
function bareChunks(): Uint8Array[] {
  return Array.from({ length: SIZE / CHUNK_SIZE }, () => new Uint8Array(CHUNK_SIZE).fill(1));
}

/** Places that look random, none across two pages. */
function places(): Uint32Array {
  let state = 1;
  return Uint32Array.from({ length: SMALL_WRITES }, () => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return Math.floor((state / 2 ** 32) * (SIZE / SMALL)) * SMALL;
  });
}

function inOrder(memory: GuestMemory): () => void {
  return () => {
    for (let at = 0; at < SIZE; at += PAGE_SIZE) memory.write(at, PAGE);
  };
}

function anywhere(memory: GuestMemory): () => void {
  const at = places();
  return () => {
    for (let i = 0; i < at.length; i++) memory.write(at[i], FEW);
  };
}

/** Monitors all pages, before each round anew. */
function armed(memory: GuestMemory): () => void {
  const frames = new Uint32Array(SIZE / PAGE_SIZE + 1);
  memory.monitor.engage('bench');
  return () => void memory.monitor.take(frames);
}

export const rows: BenchRow[] = [
  {
    name: 'set 4 KiB in order',
    run() {
      const chunks = bareChunks();
      return fastest(() => {
        for (const chunk of chunks) for (let at = 0; at < CHUNK_SIZE; at += PAGE_SIZE) chunk.set(PAGE, at);
      });
    },
  },
  {
    name: 'memory: write 4 KiB in order',
    against: [{ row: 'set 4 KiB in order', atLeast: 1 / 1.5 }],
    run: () => fastest(inOrder(filledMemory())),
  },
  {
    name: 'memory: write 4 KiB in order, monitored',
    against: [{ row: 'set 4 KiB in order' }],
    run() {
      const memory = filledMemory();
      return fastest(inOrder(memory), armed(memory));
    },
  },
  {
    name: 'set 64 bytes anywhere',
    run() {
      const chunks = bareChunks();
      const at = places();
      return fastest(() => {
        for (let i = 0; i < at.length; i++) chunks[Math.floor(at[i] / CHUNK_SIZE)].set(FEW, at[i] % CHUNK_SIZE);
      });
    },
  },
  {
    name: 'memory: write 64 bytes anywhere',
    against: [{ row: 'set 64 bytes anywhere' }],
    run: () => fastest(anywhere(filledMemory())),
  },
  {
    name: 'memory: write 64 bytes anywhere, monitored',
    against: [{ row: 'set 64 bytes anywhere' }],
    run() {
      const memory = filledMemory();
      return fastest(anywhere(memory), armed(memory));
    },
  },
  {
    name: 'memory: scan 1 GiB of pages for dirty ones',
    run() {
      const memory = filledMemory(SIZE);
      memory.registerRam(SIZE, SCANNED * PAGE_SIZE - SIZE, 'more');
      armed(memory)();
      const frames = new Uint32Array(16);
      const ms = fastest(() => void memory.monitor.take(frames));
      if (ms > MAX_SCAN_MS) throw new Error(`The scan took ${ms.toFixed(2)} ms, expected at most ${MAX_SCAN_MS}`);
      return ms;
    },
  },
];
