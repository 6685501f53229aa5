import { UsageError } from '../../formats/errors.ts';
import type { Machine } from '../machine/machine.ts';
import { addressSpaceOf } from '../machine/machine-space.ts';
import { type AddressSpace, pagingOptionsOf } from '../paging/address-space.ts';
import type { HostMode } from '../paging/modes.ts';
import { NIL_INDEX } from '../paging/pool/pool-pages.ts';
import { P } from '../paging/schemes.ts';
import { lookUp } from '../paging/shadow/lookup.ts';
import { bindPagingStatistics } from '../paging/shadow/paging-statistics.ts';
import type { ShadowCpu } from '../paging/shadow/shadow-cpu.ts';
import { ShadowPaging } from '../paging/shadow/shadow-paging.ts';
import { registersNote } from '../saved-state/reading/registers-note.ts';

/**
 * What commands of the console share: the machine, the CPU that is looked at, shadow tables once somebody asks for
 * them.
 */
export class ConsoleSession {
  /** The machine that is looked at. */
  readonly machine: Machine;
  /** The host that shadow tables are made for: a saved state has none. */
  readonly hostMode: HostMode = 'AMD64+G+NX';
  /** Number of the CPU that is looked at. */
  cpu = 0;
  /** Memory differs from what was loaded or saved last. */
  hasChanges = false;
  /** `pgmsyncalways`: CR3 is synced before each use of shadow tables. */
  syncsAlways = false;
  #shadow: ShadowPaging | undefined;

  constructor(machine: Machine) {
    this.machine = machine;
  }

  /** CPUs of the machine. */
  get cpuCount(): number {
    return Math.max(1, this.machine.state.cpum?.cpus.length ?? 0, this.machine.state.pgm?.basic?.cpus.length ?? 0);
  }

  /** @throws UsageError `no-such-cpu` */
  selectCpu(cpu: number): void {
    if (cpu >= this.cpuCount)
      throw new UsageError('no-such-cpu', `Cannot find CPU ${cpu}: the machine has ${this.cpuCount}`);
    this.cpu = cpu;
  }

  /** Virtual memory of the selected CPU, as the guest's tables are now. @throws UsageError `no-registers` */
  space(): AddressSpace {
    return addressSpaceOf(this.machine, this.cpu);
  }

  /** Shadow mode of a CPU; undefined while nobody has asked for shadow tables. */
  shadowModeOf(cpu: number): ShadowCpu['shadowMode'] {
    return this.#shadow?.cpus[cpu]?.shadowMode;
  }

  /** The selected CPU on shadow tables, which are made at the first call. @throws UsageError `no-registers` */
  shadowCpu(): ShadowCpu {
    this.#shadow ??= this.#makeShadow();
    const cpu = this.#shadow.cpus[this.cpu];
    if (this.syncsAlways) cpu.cr3.requestSync();
    return cpu;
  }

  /** P, RW and US of the shadow's entries for a page; 0 where one is missing. */
  shadowFlagsOf(virtual: bigint): number {
    const cpu = this.#shadow?.cpus[this.cpu];
    const linear = cpu?.space().linear(virtual);
    if (!cpu?.plan || linear === undefined || cpu.root === NIL_INDEX) return 0;
    const found = lookUp(cpu.paging.pool, cpu.plan, cpu.root, linear, { host: -1, rights: 0, executable: false });
    return found.host < 0 ? 0 : found.rights | P;
  }

  /** How often the guest has changed a CPU's paging mode, as far as that was seen: shadow tables see it. */
  modeChangesOf(cpu: number): number {
    return this.#shadow?.cpus[cpu]?.counts.modeChanges ?? 0;
  }

  #makeShadow(): ShadowPaging {
    const { cpum } = this.machine.state;
    if (!cpum) throw new UsageError('no-registers', `Cannot make shadow tables: ${registersNote(this.machine.state)}`);
    const shadow = new ShadowPaging(this.machine.memory, {
      host: this.hostMode,
      hardware: true,
      cpus: this.cpuCount,
      ...pagingOptionsOf(cpum),
    });
    for (const [i, cpu] of shadow.cpus.entries()) {
      const registers = cpum.cpus[i];
      if (registers) cpu.setRegisters(registers);
    }
    bindPagingStatistics(this.machine.statistics, shadow);
    return shadow;
  }
}
