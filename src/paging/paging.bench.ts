import { GIB, MIB, PAGE_SIZE } from '../../formats/sizes.ts';
import type { BenchRow } from '../bench/row.ts';
import { GuestMemory } from '../pgm/guest-memory.ts';
import { AddressSpace } from './address-space.ts';
import { GuestView } from './guest-view.ts';
import { hierarchyOf } from './hierarchy.ts';
import { mappingsOf } from './mappings-of.ts';
import { PageFault } from './page-fault.ts';
import { ShadowPaging } from './shadow/shadow-paging.ts';

const LOOKUPS = 2_000_000;
const REGISTERS = { cr0: 0x80010001n, cr3: 0x1000n, cr4: 0x20n, efer: 0xd00n };
/** Numbers of pages for addresses in turn: as many as a processor's TLB holds, and more. */
const FEW_PAGES = 512;
const MANY_PAGES = 8192;
/** P, RW, US, A, D. */
const FLAGS = 0x67;

/**
 * Long mode: `mapped` bytes from 0 in 4 KiB pages; the tables lie from 0x1000 on. Pages beyond the RAM are mapped, too.
 */
function guestWith(ram: number, mapped: number): GuestMemory {
  const memory = new GuestMemory();
  memory.registerRam(0, ram, 'Base RAM');
  const tables = mapped / (2 * MIB);
  const directories = Math.ceil(tables / 512);
  const firstDirectory = 0x3000;
  const firstTable = firstDirectory + directories * PAGE_SIZE;
  memory.writeU64(0x1000, BigInt(0x2000 + FLAGS));
  for (let i = 0; i < directories; i++) memory.writeU64(0x2000 + 8 * i, BigInt(firstDirectory + i * PAGE_SIZE + FLAGS));
  for (let i = 0; i < tables; i++) memory.writeU64(firstDirectory + 8 * i, BigInt(firstTable + i * PAGE_SIZE + FLAGS));
  const page = new Uint8Array(PAGE_SIZE);
  const entries = new BigUint64Array(page.buffer);
  for (let i = 0; i < tables; i++) {
    // No two neighbours in a row: nothing can be merged.
    for (let k = 0; k < 512; k++) entries[k] = BigInt(((i * 512 + (k ^ 1)) * PAGE_SIZE + FLAGS) % (4 * GIB));
    memory.write(firstTable + i * PAGE_SIZE, page);
  }
  return memory;
}

/** Addresses all over some pages, to be gone through again and again. */
function addressesIn(pages: number): Float64Array {
  return Float64Array.from({ length: 2 ** 16 }, (_, i) => ((i * 7919) % pages) * PAGE_SIZE + (i % PAGE_SIZE));
}

/** @returns milliseconds of the second of two rounds */
function warm(run: () => number): number {
  if (run() < 0) throw new Error('an address was not found');
  const start = performance.now();
  run();
  return performance.now() - start;
}

function walkAll(pages: number): number {
  const { walker } = new AddressSpace(new GuestView(guestWith(64 * MIB, 32 * MIB)), REGISTERS);
  const addresses = addressesIn(pages);
  return warm(() => {
    let sum = 0;
    for (let i = 0; i < LOOKUPS; i++)
      sum += walker?.walk(addresses[i & 0xffff]) === 0 ? (walker?.gcPhys ?? -1) : Number.NEGATIVE_INFINITY;
    return sum;
  });
}

function lookAllUp(pages: number): number {
  const [cpu] = new ShadowPaging(guestWith(64 * MIB, 32 * MIB), { host: 'AMD64+NX', hardware: true }).cpus;
  cpu.setRegisters(REGISTERS);
  for (let page = 0; page < pages; page++) cpu.reach(page * PAGE_SIZE, PageFault.USER);
  const addresses = addressesIn(pages);
  return warm(() => {
    let sum = 0;
    for (let i = 0; i < LOOKUPS; i++) {
      const host = cpu.reach(addresses[i & 0xffff], PageFault.USER);
      sum += host < 0 ? Number.NEGATIVE_INFINITY : host;
    }
    return sum;
  });
}

async function listAll(list: (space: AddressSpace) => Promise<{ complete: boolean }>): Promise<number> {
  const space = new AddressSpace(new GuestView(guestWith(64 * MIB, 4 * GIB)), REGISTERS);
  const start = performance.now();
  if (!(await list(space)).complete) throw new Error('the list is cut');
  return performance.now() - start;
}

export const rows: BenchRow[] = [
  { name: 'walk 2 million addresses', run: () => walkAll(FEW_PAGES) },
  {
    name: 'the same through shadow tables, warm',
    run: () => lookAllUp(FEW_PAGES),
    against: [{ row: 'walk 2 million addresses', atLeast: 10 }],
  },
  {
    name: 'the same from more pages than are remembered',
    run: () => lookAllUp(MANY_PAGES),
    against: [{ row: 'walk 2 million addresses' }],
  },
  {
    name: 'list what 4 GiB of 4 KiB pages map',
    run: () => listAll((space) => mappingsOf(space, { maxRuns: 2 << 20 })),
  },
  {
    name: 'list all tables of 4 GiB, entry by entry',
    run: () => listAll((space) => hierarchyOf(space, { maxEntries: 2 << 20 })),
  },
];
