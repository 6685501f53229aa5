import { UsageError } from '../../formats/errors.ts';
import type { PgmBasic, PgmConfig } from '../../formats/pgm/head.ts';
import { NIL_GC_PHYS } from '../../formats/pgm/layouts.ts';
import { DEFAULT_RAM_HOLE } from '../../formats/pgm/ranges.ts';
import { FOUR_GIB, PAGE_SIZE } from '../../formats/sizes.ts';
import type { UnitHeader } from '../../formats/ssm/container.ts';
import { CPUM_UNIT, type Cpum, withControlRegisters } from '../../formats/units/cpu/cpum.ts';
import { pagingOptionsOf } from '../paging/address-space.ts';
import { GuestMappings } from '../paging/mappings/guest-mappings.ts';
import { HypervisorPages } from '../paging/mappings/hypervisor-pages.ts';
import { IntermediateContext } from '../paging/mappings/intermediate-context.ts';
import { RawMode, type RawObject } from '../paging/mappings/raw-mode.ts';
import { bindPagingStatistics } from '../paging/shadow/paging-statistics.ts';
import { ShadowPaging } from '../paging/shadow/shadow-paging.ts';
import type { PoolOptions } from '../paging/shadow/shadow-state.ts';
import { checkHost, type HostPaging } from '../paging/shadow-mode.ts';
import type { GuestMemory } from '../pgm/guest-memory.ts';
import { machineStatistics } from '../pgm/machine-statistics.ts';
import type { StatTree } from '../pgm/statistics/stat-tree.ts';
import type { SavedState } from '../saved-state/reading/state.ts';
import { noSuchCpu } from './cpu-errors.ts';
import { type LifeEvent, type LifePhase, live } from './life.ts';
import { MachineCpu } from './machine-cpu.ts';
import { loadMappings, savedMappings } from './saved-mappings.ts';

/** A unit of a loaded state; all but guest memory are kept as bytes. */
export interface LoadedUnit {
  /** The unit's header. */
  header: UnitHeader;
  /** The decoded payload; absent for guest memory. */
  payload?: Uint8Array;
}

/** A machine that was loaded from a saved state: its memory and CPUs are live, its devices stay as they were saved. */
export class Machine {
  /** Live guest memory. */
  readonly memory: GuestMemory;
  /** The state as it was loaded: header, release, registers (`cpum`), configuration of memory. */
  readonly state: SavedState;
  /** CPUs by number; at least one. */
  readonly cpus: readonly MachineCpu[];
  /** The page tables of world switches. */
  readonly intermediate: IntermediateContext;
  /** The hypervisor's mappings in the guest's address space. */
  readonly mappings: GuestMappings;
  /** Statistics by VirtualBox's names: `statistics.list('/PGM/Page/*')`. */
  readonly statistics: StatTree;
  #host: HostPaging = DEFAULT_HOST;
  #shadow: ShadowPaging | undefined;
  #rawMode: RawMode | undefined;
  #ramPreAlloc = false;
  #relocations = 0;
  /** Host pages of the hypervisor itself. */
  readonly #pages = new HypervisorPages();
  readonly #units: readonly LoadedUnit[];
  readonly #hasMappings: boolean;

  /** @param state as read from the file @param units all units but the memory's, to be saved again */
  constructor(memory: GuestMemory, state: SavedState, units: readonly LoadedUnit[]) {
    this.memory = memory;
    this.state = state;
    this.#units = units;
    this.cpus = cpusOf(memory, state);
    this.intermediate = new IntermediateContext(this.#pages.allocate);
    this.mappings = new GuestMappings(this.intermediate, this.#pages.allocate);
    const basic = state.pgm?.basic;
    this.#hasMappings = basic !== undefined && loadMappings(this.mappings, basic);
    if (this.#hasMappings) this.mappings.unfixAfterLoad();
    this.statistics = machineStatistics(memory, this.cpus.length);
    this.statistics.bind('/PGM/cRelocations', () => this.#relocations);
    this.statistics.bind('/PGM/RC/DynMapCache/Hits', () => this.#rawMode?.dynamicArea.hits ?? 0);
    this.statistics.bind('/PGM/RC/DynMapCache/Misses', () => this.#rawMode?.dynamicArea.misses ?? 0);
    for (const [i, cpu] of this.cpus.entries())
      this.statistics.bind(`/PGM/CPU${i}/cGuestModeChanges`, () => cpu.modeChanges);
  }

  /** The host's paging; by default as most hosts have it, else as `usePaging` was told. */
  get host(): HostPaging {
    return this.#host;
  }

  /** The shadow tables that the CPUs run on; undefined while accesses go through the guest's own tables. */
  get shadow(): ShadowPaging | undefined {
    return this.#shadow;
  }

  /**
   * Lets all CPUs run on shadow tables from now on, as on a host with such paging. In raw mode the mappings enter the
   * guest's address space, at their fixed place if possible.
   * @throws UsageError `wrong-order` if CPUs run on shadow tables already, VERR_PGM_UNSUPPORTED_HOST_PAGING_MODE
   */
  usePaging(host: HostPaging = DEFAULT_HOST, pool: PoolOptions = {}): ShadowPaging {
    if (this.#shadow) throw new UsageError('wrong-order', 'Cannot shadow CPUs: they run on shadow tables already');
    checkHost(host);
    const { cpum } = this.state;
    const options = { ...host, ...pool, cpus: this.cpus.length, ...(cpum ? pagingOptionsOf(cpum) : {}) };
    const shadow = new ShadowPaging(this.memory, options);
    this.#host = host;
    this.#shadow = shadow;
    if (host.hardware || host.nestedPaging) this.mappings.disable();
    else this.#beginRawMode();
    shadow.rawMode = this.#rawMode;
    for (const [i, cpu] of this.cpus.entries()) cpu.attach(shadow.cpus[i]);
    bindPagingStatistics(this.statistics, shadow);
    return shadow;
  }

  /** The machine's raw mode; undefined with hardware virtualisation. */
  get rawMode(): RawMode | undefined {
    return this.#rawMode;
  }

  /**
   * Completes the machine, after ROMs and devices were registered. @param preAllocate all RAM gets memory now, and
   * keeps it
   */
  finalise(preAllocate: boolean): void {
    this.#ramPreAlloc = preAllocate;
    this.#live('finalise');
  }

  /** Moves all addresses of raw mode, after the hypervisor has moved by `delta` bytes. */
  relocate(delta: number): void {
    this.#relocations++;
    this.#live('relocate', { delta });
    // Devices may have entered new addresses meanwhile.
    this.#live('relocate', { delta: 0 });
  }

  /** Resets memory and CPUs as at power-on; devices, their memory and its addresses stay. */
  reset(): void {
    this.#live('reset');
  }

  /** Resets one CPU as at power-on, after it was unplugged. @throws UsageError `no-such-cpu` */
  resetCpu(id: number): void {
    const cpu = this.cpus[id];
    if (!cpu) throw noSuchCpu(id, this.cpus.length);
    this.#live('unplug', { cpu });
  }

  /** Gives all memory back to the host. The machine must not be used afterwards. */
  close(): void {
    this.#live('term');
  }

  #live(phase: LifePhase, event: Partial<LifeEvent> = {}): void {
    live(phase, { machine: this, ramPreAlloc: this.#ramPreAlloc, delta: 0, cpu: this.cpus[0], ...event });
  }

  #beginRawMode(): void {
    const raw = new RawMode(this.mappings, this.intermediate, this.#pages, rawObjects(this));
    this.#rawMode = raw;
    raw.onMove = (delta) => this.relocate(delta);
  }

  /** All units in file order, without the live passes, with the present registers of the CPUs. */
  get units(): readonly LoadedUnit[] {
    const registers = this.cpus.map((cpu) => cpu.newRegisters);
    if (registers.every((each) => each === undefined)) return this.#units;
    return this.#units.map(({ header, payload }) =>
      payload && header.name === CPUM_UNIT.name && header.instance === CPUM_UNIT.instance
        ? { header, payload: withControlRegisters(payload, header.version, registers) }
        : { header, payload },
    );
  }

  /** Registers and CPUID, as of now; undefined if the state had none. */
  get cpum(): Cpum | undefined {
    const { cpum } = this.state;
    if (!cpum) return undefined;
    const cpus = cpum.cpus.map((loaded, i) => {
      const { registers } = this.cpus[i];
      return { ...loaded, ...registers, ...(loaded.context ? { context: { ...loaded.context, ...registers } } : {}) };
    });
    return { ...cpum, cpus };
  }

  /** Head of the pgm unit, as of now. */
  get basic(): PgmBasic | undefined {
    const basic = this.state.pgm?.basic;
    if (!basic) return undefined;
    const mappings = this.#hasMappings ? savedMappings(this.mappings, basic) : {};
    const cpus = basic.cpus.map((_, i) => this.cpus[i].paging);
    return { ...basic, ...mappings, cpus, balloonedPages: this.memory.pages.counts.ballooned };
  }

  /**
   * RAM, and the lists of ROMs and MMIO2 ranges, with ids 1, 2, 3 … in the order of `memory.roms` and `memory.mmio2`.
   */
  get config(): PgmConfig {
    const { memory, state } = this;
    const roms = memory.roms.all.map(({ start, pages, description }, i) => {
      return { id: i + 1, device: '', instance: 0, region: 0, description, address: start, size: pages * PAGE_SIZE };
    });
    const mmio2 = memory.mmio2.all.map(({ device, instance, region, description, pages }, i) => {
      return { id: i + 1, device, instance, region, description, size: pages * PAGE_SIZE };
    });
    return { ramHole: state.pgm?.config?.ramHole ?? DEFAULT_RAM_HOLE, ramSize: state.pgm?.ramSize ?? 0, roms, mmio2 };
  }
}

/** Objects that have an address in raw mode. RAM ranges above 4 GiB have mappings of their own, and do not move. */
function rawObjects({ cpus, memory }: Machine): RawObject[] {
  const low = memory.ranges.all.filter(({ kind, start }) => kind === 'ram' && start < FOUR_GIB);
  return [
    ...cpus.map(({ id }): RawObject => ['mode-data', `Mode data of CPU ${id}`, PAGE_SIZE]),
    ['trees', 'Trees of handlers', PAGE_SIZE],
    ...low.map(({ description }): RawObject => ['ram-range', description, PAGE_SIZE]),
    ...memory.mmio2.all.map(({ description }): RawObject => ['mmio2-range', description, PAGE_SIZE]),
    ['mapping', 'Mappings and their page tables', PAGE_SIZE],
    ['zero-page', 'Zero page', PAGE_SIZE],
    ['pool', 'Pool', PAGE_SIZE],
  ];
}

/** Paging of most hosts today. */
export const DEFAULT_HOST: HostPaging = { host: 'AMD64+G+NX', hardware: true };

/** The CPUs, as many as units cpum and pgm have; both agree in every sound state. */
function cpusOf(memory: GuestMemory, { cpum, pgm }: SavedState): MachineCpu[] {
  const paging = pgm?.basic?.cpus ?? [];
  const options = cpum ? pagingOptionsOf(cpum) : {};
  return Array.from({ length: Math.max(1, cpum?.cpus.length ?? 0, paging.length) }, (_, id) => {
    if (paging[id]) memory.a20.load(id, paging[id].a20Enabled);
    const { cr0, cr2, cr3, cr4, efer } = cpum?.cpus[id] ?? {};
    const registers =
      cr0 === undefined || cr2 === undefined || cr3 === undefined || cr4 === undefined || efer === undefined
        ? undefined
        : { cr0, cr2, cr3, cr4, efer };
    return new MachineCpu(memory, id, registers, paging[id] ?? NO_PAGING, options);
  });
}

/** Paging of a CPU that the pgm unit does not list. */
const NO_PAGING = {
  a20Enabled: true,
  a20Mask: NIL_GC_PHYS,
  guestMode: 0,
  paePds: [NIL_GC_PHYS, NIL_GC_PHYS, NIL_GC_PHYS, NIL_GC_PHYS],
};
