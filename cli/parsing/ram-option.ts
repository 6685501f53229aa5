import type { Argv } from 'yargs';
import type { OptionsOf } from './options-of.ts';

export function withRamFile<T>(argv: Argv<T>) {
  return argv.option('ram', {
    type: 'string',
    array: true,
    nargs: 1,
    describe:
      'Of a state of QEMU that leaves RAM out (x-ignore-shared): the file with the RAM; of several blocks the file ' +
      'of each, as BLOCK=FILE where another has its size',
  });
}

/** Options of commands that read states whose RAM may lie in files of its own. */
export type RamOptions = OptionsOf<typeof withRamFile>;
