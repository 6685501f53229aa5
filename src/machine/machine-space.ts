import { UsageError } from '../../formats/errors.ts';
import { AddressSpace, pagingOptionsOf } from '../paging/address-space.ts';
import { GuestView } from '../paging/guest-view.ts';
import { registersNote } from '../saved-state/reading/registers-note.ts';
import type { Machine } from './machine.ts';

const NIL_GC_PHYS = 0xffff_ffff_ffff_ffffn;
const PRESENT = 1n;

/**
 * The virtual memory of one CPU of a loaded machine, as its registers have it.
 * @param cr3 another root than the CPU's
 * @throws UsageError `no-such-cpu`, `no-registers`
 */
export function addressSpaceOf(machine: Machine, cpu = 0, cr3?: bigint): AddressSpace {
  const { cpum, pgm } = machine.state;
  if (!cpum) throw new UsageError('no-registers', `Cannot translate addresses: ${registersNote(machine.state)}`);
  const registers = cpum.cpus[cpu];
  if (!registers) throw new UsageError('no-such-cpu', `Cannot find CPU ${cpu}: the machine has ${cpum.cpus.length}`);
  const paging = pgm?.basic?.cpus[cpu];
  // The memory unit holds the addresses in legacy PAE's pointers as they were latched. Older releases store none.
  const pds = cr3 === undefined ? paging?.paePds : undefined;
  const pdptes = pds?.some((pd) => pd !== NIL_GC_PHYS)
    ? pds.map((pd) => (pd === NIL_GC_PHYS ? 0n : pd | PRESENT))
    : undefined;
  return new AddressSpace(
    new GuestView(machine.memory, cpu),
    { ...registers, cr3: cr3 ?? registers.cr3 },
    {
      ...pagingOptionsOf(cpum),
      a20Enabled: machine.memory.a20.isOn(cpu),
      ...(pdptes ? { pdptes } : {}),
    },
  );
}
