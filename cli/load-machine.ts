import type { AddressSpace } from '../src/paging/address-space.ts';
import { addressSpaceOf } from '../src/paging/machine-space.ts';
import { loadState } from '../src/saved-state/load.ts';
import { parseBigAddress } from './address.ts';
import type { Job } from './command.ts';
import { withSource } from './input.ts';

/** Options of commands that look at a CPU's virtual memory. */
export interface CpuOptions {
  cpu: number;
  cr3?: string;
}

/** The virtual memory of a CPU of a saved state. */
export function loadSpace({ file, signal, progress }: Job, { cpu, cr3 }: CpuOptions): Promise<AddressSpace> {
  return withSource({ file }, async (source) => {
    const onProgress = (_: string, done: number) => progress.update(done, source.size);
    const machine = await loadState(source, { signal, onProgress });
    return addressSpaceOf(machine, cpu, cr3 === undefined ? undefined : parseBigAddress(cr3));
  });
}
