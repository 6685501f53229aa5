import { loadState } from '../../src/machine/load.ts';
import { addressSpaceOf } from '../../src/machine/machine-space.ts';
import type { AddressSpace } from '../../src/paging/address-space.ts';
import { withSource } from '../io/input.ts';
import { parseBigAddress } from '../parsing/address.ts';
import type { Job } from './run-command.ts';

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
