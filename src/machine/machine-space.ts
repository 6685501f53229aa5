import { UsageError } from '../../formats/errors.ts';
import type { AddressSpace } from '../paging/address-space.ts';
import { registersNote } from '../saved-state/reading/registers-note.ts';
import type { Machine } from './machine.ts';

/**
 * The virtual memory of one CPU of a machine, as set by its registers.
 * @param cr3 another root than the CPU's
 * @throws UsageError `no-registers`, `no-such-cpu`
 */
export function addressSpaceOf(machine: Machine, cpu = 0, cr3?: bigint): AddressSpace {
  const { cpum } = machine.state;
  if (!cpum) throw new UsageError('no-registers', `Cannot translate addresses: ${registersNote(machine.state)}`);
  const space = machine.cpus[cpu]?.space(cr3);
  if (!space) throw new UsageError('no-such-cpu', `Cannot find CPU ${cpu}: the machine has ${cpum.cpus.length}`);
  return space;
}
