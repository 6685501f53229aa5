import type { GuestPhys } from '../../formats/sizes.ts';
import { AddressSpace, type AddressSpaceMemory, pagingOptionsOf } from '../paging/address-space.ts';
import { registersNote } from '../saved-state/reading/registers-note.ts';
import type { SavedState } from '../saved-state/reading/state.ts';
import { cannotTranslate, noSuchCpu } from './cpu-errors.ts';
import { savedPointers } from './machine-cpu.ts';

const A20 = 2 ** 20;

/**
 * The virtual memory of one CPU in a state of VirtualBox, as set by its registers: equal to `addressSpaceOf` of the
 * loaded machine.
 * @param cr3 another root than the CPU's
 * @throws UsageError `no-registers`, `no-such-cpu`
 */
export function savedSpaceOf(memory: AddressSpaceMemory, state: SavedState, cpu = 0, cr3?: bigint): AddressSpace {
  const { cpum, pgm } = state;
  if (!cpum) throw cannotTranslate(registersNote(state));
  const registers = cpum.cpus[cpu];
  if (!registers) throw noSuchCpu(cpu, cpum.cpus.length);
  const { a20Enabled = true, paePds = [] } = pgm?.basic?.cpus[cpu] ?? {};
  const pdptes = cr3 === undefined ? savedPointers(paePds) : undefined;
  return new AddressSpace(
    a20Enabled ? memory : withoutA20(memory),
    { ...registers, cr3: cr3 ?? registers.cr3 },
    {
      ...pagingOptionsOf(cpum),
      a20Enabled,
      ...(pdptes ? { pdptes } : {}),
    },
  );
}

/** Memory as seen by a CPU whose A20 gate is off: bit 20 of each address is 0. */
function withoutA20(memory: AddressSpaceMemory): AddressSpaceMemory {
  const pass = (gcPhys: GuestPhys) => (Math.floor(gcPhys / A20) % 2 === 1 ? gcPhys - A20 : gcPhys);
  return {
    holdsTables: (gcPhys) => memory.holdsTables(pass(gcPhys)),
    readU32: (gcPhys) => memory.readU32(pass(gcPhys)),
    read: (gcPhys, target) => memory.read(pass(gcPhys), target),
    write: (gcPhys, source) => memory.write(pass(gcPhys), source),
    writeU32: (gcPhys, value) => memory.writeU32(pass(gcPhys), value),
  };
}
