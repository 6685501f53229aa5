import { PAGE_SIZE } from '../../../formats/sizes.ts';
import { AddressSpace } from '../address-space.ts';
import { FlatMemory } from './flat-memory.ts';

/** A small, seeded source of numbers: xorshift32. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = (Math.imul(seed, 0x9e3779b1) ^ 0x5bd1e995) >>> 0 || 1;
  }

  u32(): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x >>> 0;
    return this.#state;
  }

  below(n: number): number {
    return this.u32() % n;
  }

  chance(percent: number): boolean {
    return this.below(100) < percent;
  }

  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)];
  }
}

export type TableKind = '32-bit' | 'pae' | 'long' | 'la57';
/** Kinds of which machines get tables at random. */
export const TABLE_KINDS: readonly TableKind[] = ['32-bit', 'pae', 'long'];
export interface RandomRegisters {
  cr0: bigint;
  cr3: bigint;
  cr4: bigint;
  efer: bigint;
}

/** Pages in which random tables lie, from page 1 on; what they map may be any page, tables included. */
export const TABLE_PAGES = 12;
/** Few indices, so that random addresses often hit; the last one, too. */
const INDICES = [0, 1, 2, 3, 7, 8];

/** Random control registers of one scheme; the root is one of the table pages. */
export function randomRegisters(random: Random, kind: TableKind): RandomRegisters {
  const wp = random.chance(50) ? 1n << 16n : 0n;
  const nxe = random.chance(60) ? 1n << 11n : 0n;
  const pse = kind !== '32-bit' || random.chance(70) ? 1n << 4n : 0n;
  const root = BigInt(1 + random.below(TABLE_PAGES)) << 12n;
  return {
    cr0: (1n << 31n) | 1n | wp,
    cr3: kind === 'pae' ? root + BigInt(random.below(128) * 32) : root,
    cr4: pse | (kind === '32-bit' ? 0n : 1n << 5n) | (kind === 'la57' ? 1n << 12n : 0n),
    efer: nxe | (kind === 'long' || kind === 'la57' ? 0x500n : 0n),
  };
}

/** An entry that often, but not always, makes sense. */
export function randomEntry(random: Random, kind: TableKind, memoryPages: number): bigint {
  if (random.chance(6)) return (BigInt(random.u32()) << 32n) | BigInt(random.u32());
  if (random.chance(8)) return 0n;
  const page = random.chance(55) ? 1 + random.below(TABLE_PAGES) : random.below(memoryPages + 2);
  let low = (page << 12) | (random.chance(92) ? 1 : 0) | (random.chance(70) ? 2 : 0) | (random.chance(70) ? 4 : 0);
  low |= random.chance(50) ? 0x20 : 0;
  low |= random.chance(50) ? 0x40 : 0;
  if (random.chance(12)) low = (low & ~0x1ff000) | 0x80;
  if (random.chance(5)) low |= 1 << random.below(12);
  let entry = BigInt(low >>> 0);
  if (kind !== '32-bit') {
    if (random.chance(12)) entry |= 1n << 63n;
    if (random.chance(3)) entry |= 1n << BigInt(32 + random.below(31));
  }
  return entry;
}

/** Fills the table pages with random entries at the indices that random addresses use. */
export function fillTables(random: Random, memory: FlatMemory, kind: TableKind): void {
  const size = kind === '32-bit' ? 4 : 8;
  for (let page = 1; page <= TABLE_PAGES; page++) {
    for (let offset = 0; offset < 4096; offset += size) {
      if (
        !INDICES.includes(offset / size) &&
        !random.chance(kind === 'pae' ? 30 : 4) &&
        offset / size < 4096 / size - 2
      )
        continue;
      writeEntry(memory, page * 4096 + offset, size, randomEntry(random, kind, memory.bytes.length / 4096));
    }
  }
}

export function writeEntry(memory: FlatMemory, at: number, size: number, entry: bigint): void {
  memory.writeU32(at, Number(entry & 0xffffffffn));
  if (size === 8) memory.writeU32(at + 4, Number(entry >> 32n));
}

/** An address that uses the indices that tables are filled at. */
export function randomAddress(random: Random, kind: TableKind): bigint {
  const index = (bits: number) => {
    const last = 2 ** bits - 1;
    return (
      BigInt(
        random.chance(75) ? random.pick(INDICES) : random.chance(50) ? last - random.below(2) : random.u32() & last,
      ) & BigInt(last)
    );
  };
  const offset = BigInt(random.below(4096));
  if (kind === '32-bit') return (index(10) << 22n) | (index(10) << 12n) | offset;
  if (kind === 'pae') return (index(2) << 30n) | (index(9) << 21n) | (index(9) << 12n) | offset;
  const low = (index(9) << 39n) | (index(9) << 30n) | (index(9) << 21n) | (index(9) << 12n) | offset;
  return BigInt.asUintN(64, kind === 'long' ? BigInt.asIntN(48, low) : BigInt.asIntN(57, (index(9) << 48n) | low));
}

/** Makes most of the four directory pointers of legacy PAE valid, which random entries hardly ever are. */
export function tamePointers(random: Random, memory: FlatMemory, cr3: bigint): void {
  const root = Number(cr3 & 0xffffffe0n);
  for (let i = 0; i < 4; i++) {
    const page = 1 + random.below(TABLE_PAGES);
    if (random.chance(85)) writeEntry(memory, root + 8 * i, 8, BigInt(page << 12) | (random.chance(90) ? 1n : 0n));
  }
}

/** The virtual memory of a CPU with random tables and registers. */
export function randomSpace(seed: number, kind: TableKind) {
  const random = new Random(seed * 7919);
  const memory = new FlatMemory(new Uint8Array(32 * PAGE_SIZE));
  fillTables(random, memory, kind);
  const registers = randomRegisters(random, kind);
  if (kind === 'pae') tamePointers(random, memory, registers.cr3);
  return { memory, registers, space: new AddressSpace(memory, registers) };
}

/** A random entry for some slot of some table, as the guest would write it. @param pages that entries name */
export function entryWrite(random: Random, kind: TableKind | 'none', pages: number): { at: number; bytes: Uint8Array } {
  const wanted = kind === 'none' ? random.pick(TABLE_KINDS) : kind;
  const size = wanted === '32-bit' ? 4 : 8;
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, randomEntry(random, wanted, pages), true);
  const slot = random.chance(80) ? random.pick([0, 1, 2, 3, 7, 8]) : random.below(PAGE_SIZE / size);
  return { at: (1 + random.below(TABLE_PAGES)) * PAGE_SIZE + slot * size, bytes: bytes.subarray(0, size) };
}
