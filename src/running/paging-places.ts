import { UsageError } from '../../formats/errors.ts';
import { type GuestPhys, type GuestVirt, MIB, PAGE_SIZE } from '../../formats/sizes.ts';
import type { ControlRegisters } from '../../formats/units/cpu/cpum.ts';
import type { MachineCpu } from '../machine/machine-cpu.ts';
import { NO_FAULT } from '../paging/page-fault.ts';
import { addressInArea, type WorkloadArea } from './area.ts';
import type { ControlBlock } from './control-block.ts';
import { mix } from './pattern.ts';
import type { Places } from './places.ts';

/** Steps after which the guest remaps its pages; every second time it changes its mode, too. */
const EPOCH_STEPS = 64;
/** Tables of all modes: directory and table; pointers, directory, two tables; four levels, two tables. */
export const TABLE_PAGES = 11;
/** Pages that the last-level tables map: 4 MiB. */
const SLOTS = 1024;
/** The tables map themselves at the end of the 4 MiB. */
export const MOST_PLACES = SLOTS - TABLE_PAGES;
const SPAN = 4 * MIB;
const ENTRY = 7n;
const LONG_BASE = 0xffff_8000_0000_0000n;

type Registers = Omit<ControlRegisters, 'cr2'>;
const UNPAGED: Registers = { cr0: 0x11n, cr3: 0n, cr4: 0n, efer: 0n };

/** A mode of the guest, with the numbers of its table pages from the root down; the last one or two map pages. */
interface GuestMode {
  readonly name: 'protected' | '32-bit' | 'pae' | 'long';
  readonly upper: readonly number[];
  readonly last: readonly number[];
  readonly shifts: readonly number[];
  readonly entrySize: 4 | 8;
  readonly cr4: bigint;
  readonly efer: bigint;
}

const MODES: readonly GuestMode[] = [
  { name: 'protected', upper: [], last: [], shifts: [], entrySize: 4, cr4: 0n, efer: 0n },
  { name: '32-bit', upper: [0], last: [1], shifts: [22], entrySize: 4, cr4: 0n, efer: 0n },
  { name: 'pae', upper: [2, 3], last: [4, 5], shifts: [30, 21], entrySize: 8, cr4: 0x20n, efer: 0n },
  { name: 'long', upper: [6, 7, 8], last: [9, 10], shifts: [39, 30, 21], entrySize: 8, cr4: 0x20n, efer: 0x500n },
];

/**
 * Pages of RAM that a guest accesses by virtual addresses, through page tables of its own. The guest changes its paging
 * mode, moves all of its pages to other addresses, and writes its tables through their own mapping. Its CPUs take
 * turns.
 */
export class PagingPlaces implements Places {
  readonly count: number;
  readonly #cpus: readonly MachineCpu[];
  readonly #area: WorkloadArea;
  readonly #seed: number;
  readonly #modes: readonly GuestMode[];
  /** −1 before the first step. */
  #epoch: number;
  #turn = 0;

  /** @throws UsageError `bad-workload` where the registers of a CPU are not known */
  constructor(cpus: readonly MachineCpu[], block: ControlBlock) {
    if (cpus.length === 0 || cpus.some(({ registers }) => registers === undefined))
      throw new UsageError('bad-workload', 'Cannot run workload paging: the registers of the CPUs are not known');
    this.#cpus = cpus;
    this.#area = block;
    this.#seed = block.seed;
    this.count = Math.min(block.places, MOST_PLACES, block.lowPages - TABLE_PAGES);
    this.#modes = MODES.filter(({ name }) => cpus[0].canUse(name));
    this.#epoch = block.steps === 0 ? -1 : epochOf(block.steps - 1);
  }

  /** The guest's mode now, for people. */
  get mode(): string {
    return this.#epoch < 0 ? 'none yet' : this.#modeIn(this.#epoch).name;
  }

  beforeStep(step: number): void {
    const epoch = epochOf(step);
    while (this.#epoch < epoch) {
      this.#epoch++;
      if (this.#epoch % 2 === 0) this.#switchMode();
      else this.#remap();
    }
  }

  nameOf(place: number): { gcPhys: GuestPhys; where: string } {
    return {
      gcPhys: this.#physicalOf(place),
      where: `RAM at virtual address 0x${this.#virtualOf(place).toString(16)}`,
    };
  }

  /** Reads a place; one that is not mapped gives bytes that no step writes. */
  read(place: number, target: Uint8Array): void {
    if (this.#nextCpu().read(this.#virtualOf(place), target) !== NO_FAULT) target.fill(0xee);
  }

  write(place: number, source: Uint8Array): void {
    this.#nextCpu().write(this.#virtualOf(place), source);
  }

  free(_place: number): void {}

  #nextCpu(): MachineCpu {
    this.#turn = (this.#turn + 1) % this.#cpus.length;
    return this.#cpus[this.#turn];
  }

  /** Switches paging off, writes all tables, and switches paging on. */
  #switchMode(): void {
    const mode = this.#modeIn(this.#epoch);
    for (const cpu of this.#cpus) cpu.setRegisters(UNPAGED);
    if (mode.upper.length === 0) return;
    for (const [depth, table] of mode.upper.entries()) this.#writeTable(table, this.#upperTable(mode, depth));
    this.#writeLast(mode, (table) => BigInt(this.#tableAt(table)));
    const root = BigInt(this.#tableAt(mode.upper[0]));
    for (const cpu of this.#cpus) cpu.setRegisters({ cr0: 0x8001_0011n, cr3: root, cr4: mode.cr4, efer: mode.efer });
  }

  /** Gives pages other addresses while paging is on: the tables are written by their own virtual addresses. */
  #remap(): void {
    const mode = this.#modeIn(this.#epoch);
    this.#writeLast(mode, (table) => this.#baseIn(mode) + BigInt((MOST_PLACES + table) * PAGE_SIZE));
    for (const cpu of this.#cpus)
      for (let slot = 0; slot < this.count && mode.last.length > 0; slot++)
        cpu.invalidatePage(this.#baseIn(mode) + BigInt(slot * PAGE_SIZE));
  }

  /**
   * A table of zeros but for the entry that leads to the base; at the last upper level, for the entries of one or two
   * tables.
   */
  #upperTable(mode: GuestMode, depth: number): Uint8Array {
    const { upper, last, shifts, entrySize } = mode;
    const below = depth + 1 < upper.length ? [upper[depth + 1]] : last;
    const index = Number((this.#baseIn(mode) >> BigInt(shifts[depth])) & (entrySize === 4 ? 1023n : 511n));
    const table = new Uint8Array(PAGE_SIZE);
    // Page-directory pointers of PAE have no permission bits.
    const flags = mode.name === 'pae' && depth === 0 ? 1n : ENTRY;
    const first = mode.name === 'pae' && depth === 0 ? index & 3 : index;
    for (const [i, page] of below.entries()) putEntry(table, entrySize, first + i, BigInt(this.#tableAt(page)) | flags);
    return table;
  }

  #writeLast({ last, entrySize }: GuestMode, addressOf: (table: number) => GuestVirt): void {
    const entries = PAGE_SIZE / entrySize;
    for (const [i, table] of last.entries()) {
      const bytes = new Uint8Array(PAGE_SIZE);
      for (let entry = 0; entry < entries; entry++) {
        const gcPhys = this.#mappedIn(i * entries + entry);
        if (gcPhys !== undefined) putEntry(bytes, entrySize, entry, BigInt(gcPhys) | ENTRY);
      }
      this.#cpus[0].write(addressOf(table), bytes);
    }
  }

  #writeTable(table: number, bytes: Uint8Array): void {
    this.#cpus[0].write(BigInt(this.#tableAt(table)), bytes);
  }

  /** The address that a slot of the last-level tables maps. */
  #mappedIn(slot: number): GuestPhys | undefined {
    if (slot >= MOST_PLACES) return this.#tableAt(slot - MOST_PLACES);
    return slot < this.count ? this.#physicalOf((slot + this.count - this.#rotation()) % this.count) : undefined;
  }

  #virtualOf(place: number): GuestVirt {
    const mode = this.#modeIn(Math.max(this.#epoch, 0));
    if (mode.upper.length === 0) return BigInt(this.#physicalOf(place));
    return this.#baseIn(mode) + BigInt(((place + this.#rotation()) % this.count) * PAGE_SIZE);
  }

  #rotation(): number {
    return (this.#epoch * 7) % this.count;
  }

  #modeIn(epoch: number): GuestMode {
    return this.#modes[(epoch >>> 1) % this.#modes.length];
  }

  /** A random base in 4 GiB, which may collide with a hypervisor's mapping. */
  #baseIn({ name }: GuestMode): GuestVirt {
    const base = BigInt((1 + (mix(this.#seed, this.#epoch >>> 1) % 1022)) * SPAN);
    return name === 'long' ? LONG_BASE + base : base;
  }

  #physicalOf(place: number): GuestPhys {
    return addressInArea(this.#area, TABLE_PAGES + place);
  }

  #tableAt(table: number): GuestPhys {
    return addressInArea(this.#area, table);
  }
}

function epochOf(step: number): number {
  return Math.floor(step / EPOCH_STEPS);
}

function putEntry(table: Uint8Array, size: 4 | 8, index: number, value: bigint): void {
  const view = new DataView(table.buffer);
  if (size === 4) view.setUint32(index * 4, Number(value), true);
  else view.setBigUint64(index * 8, value, true);
}
