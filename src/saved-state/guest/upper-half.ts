import type { GuestPhys, GuestVirt } from '../../../formats/sizes.ts';
import type { ControlRegisters } from '../../../formats/units/cpu/cpum.ts';
import { AddressSpace, type AddressSpaceMemory, type AddressSpaceOptions } from '../../paging/address-space.ts';
import { visitTables } from '../../paging/visit-tables.ts';

/** A stretch of virtual addresses that maps a stretch of physical ones. */
export interface VirtualStretch {
  virtual: GuestVirt;
  gcPhys: GuestPhys;
  size: number;
}

export interface UpperHalf {
  stretches: VirtualStretch[];
  /** False if the tables hold more than is listed. */
  complete: boolean;
}

/**
 * Maximum number of tables to visit: enough for 32 GiB in pages of 4 KiB. Tables that contain themselves have no end
 * otherwise.
 */
const MAX_TABLES = 1 << 14;
const MAX_STRETCHES = 1 << 17;
const MAX_ALIASES = 4;

/**
 * Mappings in the upper half of the address space, where kernels are. Of stretches with the same physical start, only
 * the longest `MAX_ALIASES` are listed: some kernels map one page tens of thousands of times. @throws InterruptedError
 */
export async function upperHalfOf(
  memory: AddressSpaceMemory,
  registers: Omit<ControlRegisters, 'cr2'>,
  options?: Pick<AddressSpaceOptions, 'features' | 'physicalBits'>,
  signal?: AbortSignal,
): Promise<UpperHalf> {
  const space = new AddressSpace(memory, registers, options);
  const found = new StretchList((linear) => space.virtual(linear));
  const visitor = {
    page: (linear: number, gcPhys: number, size: number) => found.add(linear, gcPhys, size),
    isEnough: () => found.isFull,
  };
  const complete = await visitTables(space, visitor, { from: middleOf(space), maxTables: MAX_TABLES }, signal);
  found.end();
  return { stretches: found.all, complete };
}

function middleOf({ walker }: AddressSpace): number {
  return walker ? 2 ** (walker.scheme.addressBits - 1) : 0;
}

/** Joins pages to stretches. Tables may map millions of pages, so a page makes no object. */
class StretchList {
  /** Stretches by physical start, the longest first. */
  readonly #byStart = new Map<GuestPhys, VirtualStretch[]>();
  readonly #virtualOf: (linear: number) => bigint;
  #linear = 0;
  #gcPhys = 0;
  #size = 0;

  constructor(virtualOf: (linear: number) => bigint) {
    this.#virtualOf = virtualOf;
  }

  get isFull(): boolean {
    return this.#byStart.size >= MAX_STRETCHES;
  }

  get all(): VirtualStretch[] {
    return [...this.#byStart.values()].flat();
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
