import type { Argv } from 'yargs';
import type { OptionsOf } from './options-of.ts';

export function withRamFile<T>(argv: Argv<T>) {
  return argv.option('ram', {
    type: 'string',
    requiresArg: true,
    describe: 'Of a state of QEMU that leaves RAM out (x-ignore-shared): the file with the RAM',
  });
}

/** Options of commands that read states whose RAM may lie in a file of its own. */
export type RamOptions = OptionsOf<typeof withRamFile>;
