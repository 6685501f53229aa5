import type { GuestPhys, GuestVirt } from '../../../formats/sizes.ts';
import type { ControlRegisters } from '../../../formats/units/cpu/cpum.ts';
import { AddressSpace, type AddressSpaceMemory, type AddressSpaceOptions } from '../../paging/address-space.ts';
import { P } from '../../paging/schemes.ts';
import { visitTables } from '../../paging/visit-tables.ts';
import { tableAddress } from '../../paging/walker.ts';

/** Neighbouring virtual addresses of neighbouring physical ones. */
export interface VirtualStretch {
  virtual: GuestVirt;
  gcPhys: GuestPhys;
  size: number;
}

export interface UpperHalf {
  stretches: VirtualStretch[];
  /** False where the tables hold more than is listed. */
  complete: boolean;
}

/** Tables that are visited: enough for 32 GiB in pages of 4 KiB. Tables that name themselves have no end otherwise. */
const MAX_TABLES = 1 << 14;
const MAX_STRETCHES = 1 << 17;
const MAX_ALIASES = 4;
const CR4_LA57 = 1n << 12n;
const FIVE_LEVEL_ENTRIES = 512;

/**
 * What page tables map in the upper half of the address space, where kernels are. Of the stretches that start at the
 * same physical address only the longest `MAX_ALIASES` are listed: some kernels map one page tens of thousands of
 * times.
 */
export function upperHalfOf(
  memory: AddressSpaceMemory,
  registers: Omit<ControlRegisters, 'cr2'>,
  options?: Pick<AddressSpaceOptions, 'features' | 'physicalBits'>,
): UpperHalf {
  const found = new StretchList();
  let complete = true;
  for (const { cr3, from, base } of rootsOf(memory, registers)) {
    const space = new AddressSpace(memory, { ...registers, cr3 }, options);
    found.begin((linear) => (base === undefined ? space.virtual(linear) : base + BigInt(linear)));
    const visitor = {
      page: (linear: number, gcPhys: number, size: number) => found.add(linear, gcPhys, size),
      isEnough: () => found.isFull,
    };
    complete = visitTables(space, visitor, { from: from ?? middleOf(space), maxTables: MAX_TABLES }) && complete;
    found.end();
  }
  return { stretches: found.all, complete };
}

interface Root {
  cr3: bigint;
  /** Where to begin; by default in the middle. */
  from?: number;
  /** Address of what the root maps first; by default the root maps all. */
  base?: bigint;
}

/** With five levels each entry of the first table names the root of four. */
function rootsOf(memory: AddressSpaceMemory, { cr3, cr4 }: Pick<ControlRegisters, 'cr3' | 'cr4'>): Root[] {
  if ((cr4 & CR4_LA57) === 0n) return [{ cr3 }];
  const roots: Root[] = [];
  const table = tableAddress(Number(cr3 & 0xffff_ffffn), Number(cr3 >> 32n));
  for (let i = FIVE_LEVEL_ENTRIES / 2; i < FIVE_LEVEL_ENTRIES; i++) {
    const low = memory.readU32(table + 8 * i);
    if ((low & P) === 0) continue;
    roots.push({
      cr3: BigInt(tableAddress(low, memory.readU32(table + 8 * i + 4))),
      from: 0,
      base: BigInt.asUintN(64, BigInt.asIntN(57, BigInt(i) << 48n)),
    });
  }
  return roots;
}

function middleOf({ walker }: AddressSpace): number {
  return walker ? 2 ** (walker.scheme.addressBits - 1) : 0;
}

/** Puts pages together. Tables may map millions, so a page makes no objects. */
class StretchList {
  /** By physical start, the longest first. */
  readonly #byStart = new Map<GuestPhys, VirtualStretch[]>();
  #virtualOf: (linear: number) => bigint = BigInt;
  #linear = 0;
  #gcPhys = 0;
  #size = 0;

  get isFull(): boolean {
    return this.#byStart.size >= MAX_STRETCHES;
  }

  get all(): VirtualStretch[] {
    return [...this.#byStart.values()].flat();
  }

  begin(virtualOf: (linear: number) => bigint): void {
    this.#virtualOf = virtualOf;
  }

  add(linear: number, gcPhys: number, size: number): void {
    if (linear === this.#linear + this.#size && gcPhys === this.#gcPhys + this.#size) {
      this.#size += size;
      return;
    }
    this.end();
    this.#linear = linear;
    this.#gcPhys = gcPhys;
    this.#size = size;
  }

  /** Keeps the last stretch. */
  end(): void {
    if (this.#size > 0) this.#keep();
    this.#size = 0;
  }

  #keep(): void {
    const aliases = this.#byStart.get(this.#gcPhys) ?? [];
    if (aliases.length === MAX_ALIASES && aliases[MAX_ALIASES - 1].size >= this.#size) return;
    aliases.push({ virtual: this.#virtualOf(this.#linear), gcPhys: this.#gcPhys, size: this.#size });
    aliases.sort((a, b) => b.size - a.size).splice(MAX_ALIASES);
    this.#byStart.set(this.#gcPhys, aliases);
  }
}
