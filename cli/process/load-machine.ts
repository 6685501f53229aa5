import { parseBigNumber } from '../../formats/values/number-text.ts';
import { type OpenedMachine, openMachine } from '../../src/machine/opened-machine.ts';
import type { AddressSpace } from '../../src/paging/address-space.ts';
import { withSource } from '../io/input.ts';
import type { RamOptions } from '../parsing/ram-option.ts';
import type { Job } from './run-command.ts';

/** Options of commands that look at a CPU's virtual memory. */
export interface CpuOptions extends RamOptions {
  cpu: number;
  cr3?: string;
}

/** Loads the machine of a saved state for `use`, and closes it afterwards. */
export function withMachine<T>(
  { file, signal, progress }: Job,
  options: RamOptions,
  use: (machine: OpenedMachine) => T | Promise<T>,
): Promise<T> {
  return withSource(
    { file },
    async (source) => {
      const onProgress = (doing: string, done: number) => progress.update(done, source.size, doing);
      const machine = await openMachine(source, { signal, onProgress });
      try {
        return await use(machine);
      } finally {
        machine.close();
      }
    },
    options,
  );
}

/** The virtual memory of a CPU of a saved state. */
export function withSpace<T>(job: Job, options: CpuOptions, use: (space: AddressSpace) => T): Promise<T> {
  const { cpu, cr3 } = options;
  return withMachine(job, options, (machine) =>
    use(machine.space(cpu, cr3 === undefined ? undefined : parseBigNumber(cr3))),
  );
}
