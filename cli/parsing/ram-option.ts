import type { Argv } from 'yargs';
import type { OptionsOf } from './options-of.ts';

export function withRamFile<T>(argv: Argv<T>) {
  return argv.option('ram', {
    type: 'string',
    array: true,
    nargs: 1,
    describe:
      'For a state of QEMU that leaves RAM out (x-ignore-shared): file with the RAM; for several blocks a file each, ' +
      'as BLOCK=FILE where blocks have the same size',
  });
}

/** Options of commands that read states whose RAM may lie in files of its own. */
export type RamOptions = OptionsOf<typeof withRamFile>;
