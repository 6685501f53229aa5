import type { AddressSpace } from '../paging/address-space.ts';
import { registersNote } from '../saved-state/reading/registers-note.ts';
import { cannotTranslate, noSuchCpu } from './cpu-errors.ts';
import type { Machine } from './machine.ts';

/**
 * The virtual memory of one CPU of a machine, as set by its registers.
 * @param cr3 another root than the CPU's
 * @throws UsageError `no-registers`, `no-such-cpu`
 */
export function addressSpaceOf(machine: Machine, cpu = 0, cr3?: bigint): AddressSpace {
  const { cpum } = machine.state;
  if (!cpum) throw cannotTranslate(registersNote(machine.state));
  const space = machine.cpus[cpu]?.space(cr3);
  if (!space) throw noSuchCpu(cpu, cpum.cpus.length);
  return space;
}
