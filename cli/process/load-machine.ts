import { parseBigNumber } from '../../formats/values/number-text.ts';
import { type OpenedMachine, openMachine } from '../../src/machine/opened-machine.ts';
import type { AddressSpace } from '../../src/paging/address-space.ts';
import { withSource } from '../io/input.ts';
import type { RamOptions } from '../parsing/ram-option.ts';
import { withMemoryFlaws } from './memory-flaws.ts';
import type { CommonOptions, Job, Outcome } from './run-command.ts';

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

/** An outcome from the virtual memory of a CPU of a saved state; it also tells of flaws of the memory. */
export function withSpace(
  job: Job,
  options: CpuOptions & CommonOptions,
  use: (space: AddressSpace) => Outcome | Promise<Outcome>,
): Promise<Outcome> {
  const { cpu, cr3 } = options;
  return withMachine(job, options, async (machine) => {
    const space = machine.space(cpu, cr3 === undefined ? undefined : parseBigNumber(cr3));
    return withMemoryFlaws(await use(space), machine.flaws, options);
  });
}
