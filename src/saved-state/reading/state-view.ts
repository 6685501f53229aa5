import type { GuestPhys } from '../../../formats/sizes.ts';
import type { Release } from '../../../formats/ssm/container.ts';
import type { PagingFeatures } from '../../../formats/units/cpu/cpuid.ts';
import type { CpuRegisters } from '../../../formats/units/cpu/cpum.ts';
import type { StateFamily } from './families.ts';
import type { MemoryRegion, NamedRange } from './memory-region.ts';
import type { UnitSummary } from './state.ts';

/** Facts of a saved state of any family: commands that read any state build on this and on batches of pages. */
export interface StateView {
  /** Family of the hypervisor that wrote it. */
  readonly family: StateFamily;
  /** Format and writer, for people: `V2.0 by VirtualBox 7.0.8`. */
  readonly title: string;
  /** The version of VirtualBox's container, or the container of QEMU's stream. */
  readonly format: string;
  /** The release of the writer, where the file tells it: `7.0.8`. */
  readonly release?: string;
  /** Bytes of the file or stream, as far as it was read. */
  readonly size: number;
  /** The state was written while the machine ran: pages may have several records, of which the last one counts. */
  readonly live: boolean;
  /** Units of VirtualBox, sections of QEMU; in file order. */
  readonly units: readonly UnitSummary[];
  /** Units are in the file at their offsets; false where the file is compressed, or scattered over an image. */
  readonly unitsHavePlaces: boolean;
  /** CPUs: registers, and facts for walks of the guest's tables. */
  readonly cpus: StateCpus;
  /** Guest memory; absent where the state holds none. */
  readonly memory?: StateMemory;
  /**
   * Values that savkit understands, by name such as `cpus[0].registers.rip`; without values of memory and of the file.
   */
  fields(): Map<string, string>;
  /** Facts for cores in VirtualBox's format, besides registers; only VirtualBox's states have them. */
  readonly vboxCore?: { apicBases: readonly bigint[]; release?: Release | undefined };
}

/** The CPUs of a saved machine. */
export interface StateCpus {
  /** Registers by number of the CPU. */
  registers: readonly CpuRegisters[];
  /** True for CPUs that are not x86. */
  isForeign?: boolean;
  /** Paging features of the CPUs, where the state tells. */
  features?: PagingFeatures;
  /** Width of guest-physical addresses in bits, where the state tells. */
  physicalBits?: number;
  /** Whether the A20 gate is open, by number of the CPU. */
  a20: readonly boolean[];
  /** Reason why there are no registers; absent if there are. */
  missing?: string;
}

/** Layout of a saved machine's memory. */
export interface StateMemory {
  /** Regions of guest-physical memory, ascending. */
  regions: readonly MemoryRegion[];
  /** ROMs of VirtualBox's states; QEMU's are among `mmio2`. */
  roms: readonly NamedRange[];
  /** Memory of devices and, of QEMU, blocks of firmware: mapped or not. */
  mmio2: readonly NamedRange[];
  /**
   * Protection of the pages of ROMs, which decides whether the guest reads the ROM or its shadow, by range id; see
   * `PgmSummary`.
   */
  romProtection: ReadonlyMap<number, Uint8Array>;
  /** Names for pages that hold in other states, too. */
  names: RangeNames;
  /** Reason why this file does not give pages of RAM; absent if it does. */
  elsewhere?: string;
  /** Reason why RAM may lie at other addresses; absent if the places are known. */
  uncertain?: string;
  /** Pages that a whole state would have, and this one lacks; absent if none is missing. */
  missing?: string;
}

/** Faults of a state's memory. */
export type MemoryFlaws = Pick<StateMemory, 'uncertain' | 'missing'>;

/**
 * Gives a page record's range a name that holds in both states of a comparison, whatever their numbering; undefined for
 * records that are left out.
 */
export type RangeNaming = (kind: number, id: number, page: number) => NamedPage | undefined;

/** A page by a name that holds in every state. */
export interface NamedPage {
  /** Name of the range, such as `RAM`, or the name of a block. */
  range: string;
  /** Number of the page within that range. */
  page: number;
}

/** Names for the memory of a state that mean the same in every version, with guest-physical addresses. */
export interface RangeNames {
  /** Names the range of a page record. */
  naming: RangeNaming;
  /** Address of page 0 of a range; undefined where the guest has not mapped it. */
  addressOf(range: string): GuestPhys | undefined;
}

/** The range of guest RAM, by page frame. */
export const RAM_RANGE = 'RAM';
