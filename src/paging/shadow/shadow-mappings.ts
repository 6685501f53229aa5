import { NIL_INDEX } from '../pool/pool-pages.ts';
import type { ShadowedCpu, ShadowedMachine } from './shadow-state.ts';

const SHIFT_32 = 22;
const SHIFT_PAE = 21;
/** Halves of the range of a 32-bit directory entry. */
const HALVES = [0, 1];

/**
 * The hypervisor's mappings in the shadow tables that CPUs run on in raw mode (paging.md 5.3): directory entries that
 * refer to the mappings' own tables. Directories with such entries are locked as long as a CPU runs on them.
 */
export class ShadowMappings {
  readonly #paging: ShadowedMachine;
  /** Locked directories by CPU. */
  readonly #held = new Map<ShadowedCpu, number[]>();

  constructor(paging: ShadowedMachine) {
    this.#paging = paging;
  }

  /** Inserts the mappings after a CPU has got another root. */
  insert(cpu: ShadowedCpu): void {
    const { pool, rawMode } = this.#paging;
    const { plan, root } = cpu;
    this.remove(cpu);
    if (!rawMode || !plan || plan.nested || root === NIL_INDEX || plan.levels.length > 3) return;
    const held = new Set<number>();
    for (const { address, tables } of rawMode.mappings.placed) {
      if (plan.levels.length === 2) {
        pool.setMapping(root, address >>> SHIFT_32, tables.narrowEntry, 0);
        continue;
      }
      const directory = cpu.directoryFor(address);
      if (directory === NIL_INDEX) continue;
      if (!held.has(directory)) pool.lock(directory);
      held.add(directory);
      for (const half of HALVES) {
        const entry = tables.wideEntry(half);
        const slot = ((address >>> SHIFT_PAE) & 511) + half;
        pool.setMapping(directory, slot, Number(entry & 0xffff_ffffn), Number(entry >> 32n));
      }
    }
    this.#held.set(cpu, [...held]);
  }

  /** Unlocks the directories of a CPU that gives its root up. */
  remove(cpu: ShadowedCpu): void {
    for (const directory of this.#held.get(cpu) ?? []) this.#paging.pool.unlock(directory);
    this.#held.delete(cpu);
  }

  /** Inserts the mappings anew after some have moved or gone. */
  renew(): void {
    this.#paging.pool.clearMappings();
    for (const cpu of this.#paging.cpus) {
      this.insert(cpu);
      cpu.tlb.flush();
      cpu.cr3.requestSync();
    }
  }
}
