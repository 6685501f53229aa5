import { hex } from '../../../formats/errors.ts';
import { NIL_GC_PHYS } from '../../../formats/pgm/layouts.ts';
import type { CpuRegisters } from '../../../formats/units/cpu/cpum.ts';
import { pagingModeName, pagingModeOf } from '../../paging/modes.ts';
import type { SavedState } from '../reading/state.ts';

/** One CPU. */
export interface CpuDescription {
  /** Number of the CPU. */
  cpu: number;
  /** Paging mode that the registers imply. */
  mode?: string;
  /** Paging mode in unit pgm: its name, or its number if it has none. */
  storedMode?: string;
  /** Both modes agree. */
  modesAgree?: boolean;
  /** Whether the A20 gate is on; absent where that is not known. */
  a20?: boolean;
  /** PAE page directory pointers, if the guest has any. */
  paePds?: string[];
  /** Registers as hexadecimal text, by name. */
  registers: Record<string, string>;
}

/** The CPUs, by number. */
export function describeCpus(state: SavedState): CpuDescription[] {
  const registers = state.cpum?.cpus ?? [];
  const stored = state.pgm?.basic?.cpus ?? [];
  return Array.from({ length: Math.max(registers.length, stored.length) }, (_, cpu) => {
    const own = registers[cpu];
    const paging = stored[cpu];
    const description: CpuDescription = { cpu, registers: own ? describeRegisters(own) : {} };
    if (own) description.mode = pagingModeOf(own);
    if (paging) {
      description.storedMode = pagingModeName(paging.guestMode) ?? String(paging.guestMode);
      description.a20 = paging.a20Enabled;
      if (paging.paePds.some((pd) => pd !== NIL_GC_PHYS)) description.paePds = paging.paePds.map(hex);
    }
    if (own && paging) description.modesAgree = description.mode === description.storedMode;
    return description;
  });
}

function describeRegisters({ context, cr0, cr2, cr3, cr4, efer }: CpuRegisters): Record<string, string> {
  const registers: Record<string, string> = {};
  for (const [name, value] of Object.entries({ ...context, cr0, cr2, cr3, cr4, efer })) {
    if (typeof value === 'bigint') registers[name] = hex(value);
    else if ('selector' in value) registers[name] = hex(value.selector);
    else if ('limit' in value) registers[name] = `${hex(value.base)}:${hex(value.limit)}`;
  }
  return registers;
}
