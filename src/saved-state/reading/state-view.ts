import type { GuestPhys } from '../../../formats/sizes.ts';
import type { Release } from '../../../formats/ssm/container.ts';
import type { PagingFeatures } from '../../../formats/units/cpu/cpuid.ts';
import type { CpuRegisters } from '../../../formats/units/cpu/cpum.ts';
import type { Family } from './families.ts';
import type { MemoryRegion, NamedRange } from './memory-region.ts';
import type { UnitSummary } from './state.ts';

/**
 * What every saved state tells, whoever wrote it: commands that read any state build on this and on batches of pages.
 */
export interface StateView {
  readonly family: Family;
  /** By whom and how it is written, for people: `V2.0 by VirtualBox 7.0.8`. */
  readonly title: string;
  /** How the file is written: the version of VirtualBox's container, or what QEMU's stream lies in. */
  readonly format: string;
  /** The release of the writer, where the file tells it: `7.0.8`. */
  readonly release?: string;
  /** Bytes of the file or stream, as far as it was read. */
  readonly size: number;
  /** Written while the machine ran: pages may come several times, the last one counts. */
  readonly live: boolean;
  /** Units of VirtualBox, sections of QEMU; in file order. */
  readonly units: readonly UnitSummary[];
  /** Units stand in the file at their offsets; false where the file is compressed, or scattered over an image. */
  readonly unitsHavePlaces: boolean;
  readonly cpus: StateCpus;
  /** Absent where the state holds no memory. */
  readonly memory?: StateMemory;
  /** Values that savkit understands, by name such as `cpus[0].registers.rip`; not those of memory and of the file. */
  fields(): Map<string, string>;
  /** What cores as VirtualBox writes them say of a machine, besides registers; its own states tell it. */
  readonly vboxCore?: { apicBases: readonly bigint[]; release?: Release | undefined };
}

export interface StateCpus {
  /** By number of the CPU. */
  registers: readonly CpuRegisters[];
  features?: PagingFeatures;
  /** Width of guest-physical addresses in bits, where the state tells. */
  physicalBits?: number;
  /** Whether the A20 gate is open, by number of the CPU. */
  a20: readonly boolean[];
  /** Why there are no registers; absent where there are. */
  missing?: string;
}

export interface StateMemory {
  /** Where the guest finds its memory, ascending. */
  regions: readonly MemoryRegion[];
  roms: readonly NamedRange[];
  /** Memory of devices and, of QEMU, blocks of firmware: mapped or not. */
  mmio2: readonly NamedRange[];
  /** What the guest reads at the pages of a ROM, by range id; see `PgmSummary`. */
  romProtection: ReadonlyMap<number, Uint8Array>;
  names: RangeNames;
  /** No page comes twice: it does not matter then in which order pages are written. */
  namesPagesOnce: boolean;
  /** Why pages of RAM can't be had from this file; absent where they can. */
  elsewhere?: string;
}

/**
 * Gives a page record's range a name that holds in both states of a comparison, whatever their numbering; undefined for
 * records that are left out.
 */
export type RangeNaming = (kind: number, id: number, page: number) => { range: string; page: number } | undefined;

/**
 * Names for the memory of a state that mean the same in every version, and where in guest-physical memory these lie.
 */
export interface RangeNames {
  naming: RangeNaming;
  /** Address of page 0 of a range; undefined where the guest has not mapped it. */
  addressOf(range: string): GuestPhys | undefined;
}

/** The range of guest RAM, by page frame. */
export const RAM_RANGE = 'RAM';
