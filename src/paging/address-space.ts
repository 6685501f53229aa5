import { hex, UsageError } from '../../formats/errors.ts';
import { type GuestPhys, type GuestVirt, PAGE_SIZE, TWO_32 } from '../../formats/sizes.ts';
import type { PagingFeatures } from '../../formats/units/cpu/cpuid.ts';
import type { ControlRegisters } from '../../formats/units/cpu/cpum.ts';
import { type AddressMode, addressModeOf, CR0_WP, CR4_PSE, EFER_NXE } from './modes.ts';
import { type AccessKind, faultOf, NO_FAULT, setAccessedBits } from './page-fault.ts';
import { type PagingRules, RW, schemeOf, type TableName, US } from './schemes.ts';
import { type TableMemory, Walker, WalkStatus } from './walker.ts';

/** Guest-physical memory that an address space reads and writes. */
export interface AddressSpaceMemory extends TableMemory {
  /** Fills `target` from an address on. */
  read(gcPhys: GuestPhys, target: Uint8Array): void;
  /** Writes bytes from an address on. */
  write(gcPhys: GuestPhys, source: Uint8Array): void;
  /** Writes 4 bytes, little-endian. */
  writeU32(gcPhys: GuestPhys, value: number): void;
}

/** Capabilities of a CPU that its registers do not show. */
export interface AddressSpaceOptions {
  /** Features by CPUID; default: all. */
  features?: PagingFeatures | undefined;
  /** Width of physical addresses; default 52. */
  physicalBits?: number;
  /** Legacy PAE: the latched directory pointers, as in the registers PDPTE0 to 3. Default: read from memory now. */
  pdptes?: readonly bigint[];
  /** False: address bit 20 is always 0. */
  a20Enabled?: boolean;
}

/** Result of a translation. */
export type Translation =
  | {
      /** Result of the walk. */
      status: 'mapped';
      /** Physical address of the byte. */
      gcPhys: GuestPhys;
      /** 4 KiB, 2 MiB, 4 MiB or 1 GiB; 4 KiB without paging. */
      pageSize: number;
      /** Writes are allowed. */
      writable: boolean;
      /** User mode has access. */
      user: boolean;
      /** No level forbids execution. */
      executable: boolean;
      /** Entries that the walk read, from the root on. */
      entries: WalkedEntry[];
    }
  | {
      /** Result of the walk. */
      status: 'not-present' | 'reserved-bit' | 'bad-address' | 'not-canonical';
      /** Level of the table at which the walk ended: 1 is the page table; 8 if the walk did not begin. */
      level: number;
      /** Entries that the walk read, from the root on. */
      entries: WalkedEntry[];
    };

/** One entry that a walk read. */
export interface WalkedEntry {
  /** The table that holds it. */
  name: TableName;
  /** Physical address of the entry; absent for a latched one. */
  address?: GuestPhys;
  /** All of the entry's bits. */
  value: bigint;
}

const STATUS_NAMES = ['mapped', 'not-present', 'reserved-bit', 'bad-address'] as const;
const A20 = 2 ** 20;

/** The virtual memory of one CPU: its registers at one moment over guest-physical memory. */
export class AddressSpace {
  /** Paging mode by the registers. */
  readonly mode: AddressMode;
  /** @internal */
  readonly rules: PagingRules;
  /** Memory that holds the tables. */
  readonly memory: AddressSpaceMemory;
  /** Absent without paging. @internal */
  readonly walker: Walker | undefined;
  /** False: bit 20 of each physical address is 0. */
  readonly a20Enabled: boolean;

  /** @param registers of the CPU at this moment */
  constructor(memory: AddressSpaceMemory, registers: Omit<ControlRegisters, 'cr2'>, options: AddressSpaceOptions = {}) {
    this.memory = memory;
    this.mode = addressModeOf(registers);
    this.rules = rulesOf(registers, options);
    this.a20Enabled = options.a20Enabled ?? true;
    const scheme = schemeOf(this.mode);
    if (!scheme) return;
    this.walker = new Walker(memory, scheme, this.rules);
    this.walker.root = Number(registers.cr3 & scheme.rootMask);
    if (scheme.latchesRoot)
      this.walker.latched = options.pdptes ? halvesOf(options.pdptes) : latchPdptes(memory, this.walker.root);
  }

  /**
   * Translates `address`; sets no accessed or dirty bits. In long mode addresses have 64 bits and must be canonical,
   * elsewhere 32.
   */
  translate(address: GuestVirt): Translation {
    const { walker } = this;
    const offset = offsetInPage(address);
    const page = this.linear(address - BigInt(offset));
    if (page === undefined) return { status: 'not-canonical', level: 8, entries: [] };
    if (!walker) return this.#identity(page + offset);
    walker.walk(page);
    const entries = this.#entries(walker);
    if (walker.status !== WalkStatus.MAPPED)
      return { status: STATUS_NAMES[walker.status] as 'not-present', level: walker.level, entries };
    return {
      status: 'mapped',
      gcPhys: this.physical(walker.gcPhys + offset),
      pageSize: walker.pageSize,
      writable: (walker.rights & RW) !== 0,
      user: (walker.rights & US) !== 0,
      executable: walker.executable,
      entries,
    };
  }

  /**
   * Translates as a processor does: sets accessed and dirty bits. @returns the physical address, or the error code of
   * the page fault
   */
  access(address: GuestVirt, access: AccessKind): { gcPhys: GuestPhys } | { fault: number } {
    const { walker } = this;
    const offset = offsetInPage(address);
    const page = this.linear(address - BigInt(offset));
    if (page === undefined || (!walker && page >= TWO_32)) return { fault: access };
    if (!walker) return { gcPhys: this.physical(page + offset) };
    walker.walk(page);
    const fault = faultOf(walker, access);
    if (fault !== NO_FAULT) return { fault };
    setAccessedBits(walker, access, (at, value) => this.memory.writeU32(at, value));
    return { gcPhys: this.physical(walker.gcPhys + offset) };
  }

  /** Reads bytes; the guest's tables stay as they are. @throws UsageError `not-mapped` where a page is missing */
  read(address: GuestVirt, target: Uint8Array): void {
    this.#eachPage(address, target.length, (gcPhys, from, to) => this.memory.read(gcPhys, target.subarray(from, to)));
  }

  /**
   * Writes bytes, also to read-only pages, as a debugger does; nothing is written if a page is missing. @throws
   * UsageError `not-mapped`
   */
  write(address: GuestVirt, source: Uint8Array): void {
    this.#eachPage(address, source.length, () => {});
    this.#eachPage(address, source.length, (gcPhys, from, to) => this.memory.write(gcPhys, source.subarray(from, to)));
  }

  /** An address as the number that walks use: without sign extension; undefined if it is not canonical. @internal */
  linear(address: GuestVirt): number | undefined {
    const { addressBits = 32 } = this.walker?.scheme ?? {};
    const linear = BigInt.asUintN(64, address);
    if (addressBits === 32) return Number(linear);
    return canonical(linear, addressBits) === linear ? Number(BigInt.asUintN(addressBits, linear)) : undefined;
  }

  /** The reverse of `linear`. @internal */
  virtual(linear: number): GuestVirt {
    const { addressBits = 32 } = this.walker?.scheme ?? {};
    return addressBits === 32 ? BigInt(linear) : canonical(BigInt(linear), addressBits);
  }

  /** A physical address after the A20 gate. */
  physical(gcPhys: GuestPhys): GuestPhys {
    return this.a20Enabled || Math.floor(gcPhys / A20) % 2 === 0 ? gcPhys : gcPhys - A20;
  }

  #identity(linear: number): Translation {
    if (linear < 0 || linear >= TWO_32) return { status: 'not-present', level: 8, entries: [] };
    return {
      status: 'mapped',
      gcPhys: this.physical(linear),
      pageSize: PAGE_SIZE,
      writable: true,
      user: true,
      executable: true,
      entries: [],
    };
  }

  #entries(walker: Walker): WalkedEntry[] {
    return Array.from({ length: walker.depth }, (_, i) => {
      const value = (BigInt(walker.entryHigh[i]) << 32n) | BigInt(walker.entryLow[i]);
      const { name } = walker.scheme.levels[i];
      return walker.entryAddress[i] < 0 ? { name, value } : { name, address: walker.entryAddress[i], value };
    });
  }

  #eachPage(address: GuestVirt, size: number, use: (gcPhys: GuestPhys, from: number, to: number) => void): void {
    for (let done = 0; done < size; ) {
      const at = address + BigInt(done);
      const found = this.translate(at);
      if (found.status !== 'mapped')
        throw new UsageError(
          'not-mapped',
          `Cannot reach virtual address ${hex(at)}: ${found.status}, expected a mapped page`,
        );
      const upTo = Math.min(size, done + PAGE_SIZE - Number(at % BigInt(PAGE_SIZE)));
      use(found.gcPhys, done, upTo);
      done = upTo;
    }
  }
}

function offsetInPage(address: GuestVirt): number {
  return Number(BigInt.asUintN(12, address));
}

/** The highest bit repeated up to bit 63. */
export function canonical(address: bigint, addressBits: number): GuestVirt {
  return BigInt.asUintN(64, BigInt.asIntN(addressBits, address));
}

/** Options by the CPUID of a state. */
export function pagingOptionsOf({ features, physicalBits }: { features?: PagingFeatures; physicalBits?: number }): {
  features?: PagingFeatures;
  physicalBits?: number;
} {
  return { features, physicalBits: physicalBits || undefined };
}

export function rulesOf(
  { cr0, cr4, efer }: Pick<ControlRegisters, 'cr0' | 'cr4' | 'efer'>,
  options: AddressSpaceOptions = {},
): PagingRules {
  const { features, physicalBits = 52 } = options;
  return {
    wp: (cr0 & CR0_WP) !== 0n,
    nxe: (efer & EFER_NXE) !== 0n,
    pse: (cr4 & CR4_PSE) !== 0n,
    pse36: features?.pse36 ?? true,
    gigabytePages: features?.gigabytePages ?? true,
    physicalBits,
  };
}

/** The four directory pointers at `root`, low and high halves in turn; undefined if there is no memory at `root`. */
export function latchPdptes(memory: TableMemory, root: GuestPhys): Uint32Array | undefined {
  if (!memory.holdsTables(root)) return undefined;
  return Uint32Array.from({ length: 8 }, (_, i) => memory.readU32(root + 4 * i));
}

/** Latched pointers as 64-bit numbers. */
export function pointersOf(latched: Uint32Array): bigint[] {
  return Array.from({ length: 4 }, (_, i) => (BigInt(latched[2 * i + 1]) << 32n) | BigInt(latched[2 * i]));
}

/** The reverse of `pointersOf`: low and high halves in turn. */
export function halvesOf(entries: readonly bigint[]): Uint32Array {
  return Uint32Array.from(entries.flatMap((entry) => [Number(entry & 0xffffffffn), Number(entry >> 32n)]));
}
