import type { PagingFeatures } from '../../../formats/units/cpuid.ts';
import type { ControlRegisters } from '../../../formats/units/cpum.ts';
import type { GuestPhys, GuestVirt } from '../../../formats/units.ts';
import { AddressSpace, type AddressSpaceMemory } from '../../paging/address-space.ts';
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

/** Tables that are visited: enough for 128 GiB in pages of 4 KiB. */
const MAX_TABLES = 1 << 16;
const MAX_STRETCHES = 1 << 17;
const CR4_LA57 = 1n << 12n;
const FIVE_LEVEL_ENTRIES = 512;

/**
 * What page tables map in the upper half of the address space, where kernels are. Of the stretches that start at the same physical address only the
 * longest is listed: some kernels map one page tens of thousands of times.
 */
export function upperHalfOf(memory: AddressSpaceMemory, registers: Omit<ControlRegisters, 'cr2'>, features?: PagingFeatures): UpperHalf {
  const found = new StretchList();
  let complete = true;
  for (const { cr3, from, base } of rootsOf(memory, registers)) {
    const space = new AddressSpace(memory, { ...registers, cr3 }, { features });
    const page = (linear: number, gcPhys: number, size: number) => found.add(base === undefined ? space.virtual(linear) : base + BigInt(linear), gcPhys, size);
    complete = visitTables(space, { page, isEnough: () => found.isFull }, { from: from ?? middleOf(space), maxTables: MAX_TABLES }) && complete;
  }
  return { stretches: found.close(), complete };
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
    roots.push({ cr3: BigInt(tableAddress(low, memory.readU32(table + 8 * i + 4))), from: 0, base: BigInt.asUintN(64, BigInt.asIntN(57, BigInt(i) << 48n)) });
  }
  return roots;
}

function middleOf({ walker }: AddressSpace): number {
  return walker ? 2 ** (walker.scheme.addressBits - 1) : 0;
}

/** Puts pages together. */
class StretchList {
  /** The longest by its physical start. */
  readonly #byStart = new Map<GuestPhys, VirtualStretch>();
  #last: VirtualStretch | undefined;
  #nextVirtual = -1n;

  get isFull(): boolean {
    return this.#byStart.size >= MAX_STRETCHES;
  }

  add(virtual: bigint, gcPhys: number, size: number): void {
    const last = this.#last;
    if (last && virtual === this.#nextVirtual && gcPhys === last.gcPhys + last.size) last.size += size;
    else {
      this.#keepLast();
      this.#last = { virtual, gcPhys, size };
    }
    this.#nextVirtual = virtual + BigInt(size);
  }

  close(): VirtualStretch[] {
    this.#keepLast();
    return [...this.#byStart.values()];
  }

  #keepLast(): void {
    const last = this.#last;
    if (last && last.size > (this.#byStart.get(last.gcPhys)?.size ?? 0)) this.#byStart.set(last.gcPhys, last);
    this.#last = undefined;
  }
}
