import type { GuestPhys, GuestVirt } from '../../../formats/sizes.ts';
import type { PagingFeatures } from '../../../formats/units/cpu/cpuid.ts';
import type { ControlRegisters } from '../../../formats/units/cpu/cpum.ts';
import type { GuestMemory } from '../../pgm/guest-memory.ts';
import type { AddressSpace } from '../address-space.ts';
import type { GuestView } from '../guest-view.ts';
import type { RawMode } from '../mappings/raw-mode.ts';
import type { PagingMode, ShadowMode } from '../modes.ts';
import type { ShadowPool } from '../pool/pool.ts';
import type { TableMonitor } from '../pool/table-monitor.ts';
import type { HostPaging, WorldSwitcher } from '../shadow-mode.ts';
import type { Walker } from '../walker.ts';
import type { CpuEvents, ShadowEvents } from './paging-events.ts';
import type { ShadowPlan } from './plan.ts';
import type { Tlb } from './tlb.ts';

// Interfaces between the parts of shadow paging.

/** Control registers of a CPU, without CR2, which faults set. */
export type Registers = Omit<ControlRegisters, 'cr2'>;

/** Options of shadow paging. */
export interface ShadowPagingOptions extends HostPaging, PoolOptions {
  /** CPUs of the machine; default 1. */
  cpus?: number;
  /** Paging features that CPUID tells the guest; default: all. */
  features?: PagingFeatures;
  /** Width of guest-physical addresses; default 52. */
  physicalBits?: number;
}

/** Limits of the pool of shadow tables. */
export interface PoolOptions {
  /** Shadow tables at most; default 1024. */
  poolPages?: number;
  /** Lists of tables that map one page, at most. */
  extents?: number;
}

/** Counts of one CPU's paging so far. */
export interface CpuCounts {
  /** Changes of the paging mode. */
  modeChanges: number;
  /** Loads of CR3 that changed it. */
  newCr3: number;
  /** Of these, the loads that flushed global pages, too. */
  newCr3Global: number;
  /** Loads of CR3 with the value that it had. */
  sameCr3: number;
  /** Of these, the loads that flushed global pages, too. */
  sameCr3Global: number;
  /** Syncs of all tables. */
  syncGlobal: number;
  /** Syncs that kept global pages. */
  syncNotGlobal: number;
  /** Page faults that the guest's own tables cause. */
  guestFaults: number;
  /** Page faults that only the shadow tables caused. */
  synced: number;
  /** Accesses that no table can map: MMIO, handlers. */
  emulated: number;
  /** Pages invalidated by INVLPG. */
  invalidated: number;
}

/**
 * Outcome of a mode change. `pae-disabled`: the guest has no PAE by CPUID, and the machine stops with the run-time
 * error PAEmode; `no-root`: the root can't be allocated (VERR_PGM_POOL_FLUSHED); `cr3-not-in-memory`: CR3 leads to no
 * RAM (VERR_INTERNAL_ERROR_2), and every access faults; `switcher-refused`: nothing has changed; `not-combinable`: the
 * guest can't be shadowed in the shadow mode that it keeps, and every access is emulated.
 */
export type ModeChangeStatus =
  | 'ok'
  | 'pae-disabled'
  | 'no-root'
  | 'cr3-not-in-memory'
  | 'switcher-refused'
  | 'not-combinable';

/** Callbacks during mode changes. */
export interface ModeChangeHooks {
  /** Raw mode: makes a world switcher current. False refuses the change. */
  selectSwitcher?(switcher: WorldSwitcher): boolean;
  /** The hardware layer is told at the end, also of a change that failed late. */
  notifyHardware?(shadow: ShadowMode | undefined, guest: PagingMode): void;
}

/** The machine as shadowed CPUs see it; `ShadowPaging` implements it. */
export interface ShadowedMachine {
  readonly events: ShadowEvents;
  readonly memory: GuestMemory;
  readonly options: ShadowPagingOptions;
  readonly hooks: ModeChangeHooks;
  readonly monitor: TableMonitor;
  readonly pool: ShadowPool;
  readonly cpus: readonly ShadowedCpu[];
  readonly rawMode: RawMode | undefined;
  readonly virtualHandlers: VirtualSync;
  readonly mappings: RootMappings;
}

/** The hypervisor's mappings as CPUs see them; `ShadowMappings` implements it. */
export interface RootMappings {
  insert(cpu: ShadowedCpu): void;
  remove(cpu: ShadowedCpu): void;
}

/** Handlers of virtual addresses as syncs see them; `VirtualHandlers` implements it. */
export interface VirtualSync {
  stateOf(frame: number): number;
  update(cpu: ShadowedCpu, force: boolean): void;
  invalidate(address: GuestVirt): void;
  findHypervisor(address: GuestVirt): object | undefined;
}

/** A CPU as mode changes, loads of CR3 and accesses see it; `ShadowCpu` implements it. */
export interface ShadowedCpu {
  readonly paging: ShadowedMachine;
  readonly id: number;
  /** Memory through this CPU's A20 gate. */
  readonly view: GuestView;
  readonly counts: CpuCounts;
  readonly events: CpuEvents;
  readonly cr3: RootState;
  readonly tlb: Tlb;
  readonly registers: Registers;
  guestMode: PagingMode | undefined;
  shadowMode: ShadowMode | undefined;
  plan: ShadowPlan | undefined;
  walker: Walker | undefined;
  root: number;
  cr2: GuestVirt;
  faultCode: number;
  gcPhys: GuestPhys;
  refreshWalker(): void;
  directoryFor(linear: number): number;
  hostAddress(linear: number, access: number): number;
  reach(linear: number, access: number): number;
  space(): AddressSpace;
}

/** A CPU's root table as mode changes and handlers see it; `Cr3` implements it. */
export interface RootState {
  readonly flags: { updateVirtual: boolean; always: boolean; mapCr3: boolean };
  latched: readonly bigint[] | undefined;
  readonly isSyncPending: boolean;
  requestSync(kind?: 'non-global' | 'global'): void;
  sync(): void;
  map(): ModeChangeStatus;
  unmap(): void;
  takeRoot(address: number | undefined): void;
}
