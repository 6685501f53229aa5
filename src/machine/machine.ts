import type { PgmBasic, PgmConfig } from '../../formats/pgm/head.ts';
import { DEFAULT_RAM_HOLE } from '../../formats/pgm/ranges.ts';
import { PAGE_SIZE } from '../../formats/sizes.ts';
import type { UnitHeader } from '../../formats/ssm/container.ts';
import type { GuestMemory } from '../pgm/guest-memory.ts';
import { machineStatistics } from '../pgm/statistics/machine-statistics.ts';
import type { StatTree } from '../pgm/statistics/stat-tree.ts';
import type { SavedState } from '../saved-state/reading/state.ts';

/** A unit of a loaded state; those that are not guest memory ride along as the bytes that they were. */
export interface LoadedUnit {
  /** What stood before the payload. */
  header: UnitHeader;
  /** The decoded payload; absent for guest memory. */
  payload?: Uint8Array;
}

/** A machine that was loaded from a saved state: its memory lives, its devices ride along. */
export class Machine {
  /** Guest memory, which lives. */
  readonly memory: GuestMemory;
  /** What the state said of itself when it was loaded: header, release, registers (`cpum`), configuration of memory. */
  readonly state: SavedState;
  /** What the machine counts, by VirtualBox's names: `statistics.list('/PGM/Page/*')`. */
  readonly statistics: StatTree;
  /** In file order, without the live passes. */
  readonly units: readonly LoadedUnit[];

  /** @param state what the file told @param units all units but the memory's, to be saved again */
  constructor(memory: GuestMemory, state: SavedState, units: readonly LoadedUnit[]) {
    this.memory = memory;
    this.state = state;
    this.units = units;
    const cpus = state.pgm?.basic?.cpus ?? [];
    this.statistics = machineStatistics(memory, Math.max(1, cpus.length));
    for (const [cpu, { a20Enabled }] of cpus.entries()) memory.a20.load(cpu, a20Enabled);
  }

  /** What the pgm unit starts with, as of now. */
  get basic(): PgmBasic | undefined {
    const basic = this.state.pgm?.basic;
    if (!basic) return undefined;
    const { a20, pages } = this.memory;
    const cpus = basic.cpus.map((paging, cpu) => {
      const a20Enabled = a20.isOn(cpu);
      return a20Enabled === paging.a20Enabled ? paging : { ...paging, a20Enabled, a20Mask: a20.maskOf(cpu) };
    });
    return { ...basic, cpus, balloonedPages: pages.counts.ballooned };
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
