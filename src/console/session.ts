import { UsageError } from '../../formats/errors.ts';
import { noSuchCpu } from '../machine/cpu-errors.ts';
import type { Machine } from '../machine/machine.ts';
import { addressSpaceOf } from '../machine/machine-space.ts';
import type { AddressSpace } from '../paging/address-space.ts';
import { NIL_INDEX } from '../paging/pool/pool-pages.ts';
import { P } from '../paging/schemes.ts';
import { lookUp } from '../paging/shadow/lookup.ts';
import type { ShadowCpu } from '../paging/shadow/shadow-cpu.ts';
import type { HostPaging } from '../paging/shadow-mode.ts';
import { registersNote } from '../saved-state/reading/registers-note.ts';

/** State that console commands share: the machine, the selected CPU, shadow tables once they are needed. */
export class ConsoleSession {
  /** The machine. */
  readonly machine: Machine;
  /** Number of the selected CPU. */
  cpu = 0;
  /** Memory has changed since it was loaded or saved. */
  hasChanges = false;
  /** Ends long searches. */
  readonly signal: AbortSignal | undefined;
  readonly #host: HostPaging | undefined;

  /** @param host host for which shadow tables are made, since a saved state holds none */
  constructor(machine: Machine, host?: HostPaging, signal?: AbortSignal) {
    this.machine = machine;
    this.signal = signal;
    this.#host = host;
  }

  /** CPUs of the machine. */
  get cpuCount(): number {
    return this.machine.cpus.length;
  }

  /** @throws UsageError `no-such-cpu` */
  selectCpu(cpu: number): void {
    if (cpu >= this.cpuCount) throw noSuchCpu(cpu, this.cpuCount);
    this.cpu = cpu;
  }

  /** Virtual memory of the selected CPU, by the guest's present tables. @throws UsageError `no-registers` */
  space(): AddressSpace {
    return addressSpaceOf(this.machine, this.cpu);
  }

  /** The selected CPU on shadow tables, which are made at the first call. @throws UsageError `no-registers` */
  shadowCpu(): ShadowCpu {
    const { machine } = this;
    if (!machine.state.cpum)
      throw new UsageError('no-registers', `Cannot make shadow tables: ${registersNote(machine.state)}`);
    return (machine.shadow ?? machine.usePaging(this.#host)).cpus[this.cpu];
  }

  /** P, RW and US of the shadow's entries for a page; 0 where one is missing. */
  shadowFlagsOf(virtual: bigint): number {
    const cpu = this.machine.cpus[this.cpu].shadow;
    const linear = cpu?.space().linear(virtual);
    if (!cpu?.plan || linear === undefined || cpu.root === NIL_INDEX) return 0;
    const found = lookUp(cpu.paging.pool, cpu.plan, cpu.root, linear, { host: -1, rights: 0, executable: false });
    return found.host < 0 ? 0 : found.rights | P;
  }
}
