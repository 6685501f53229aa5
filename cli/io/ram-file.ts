import type { Argv } from 'yargs';

/** Of commands that read states whose RAM may lie in a file of its own. */
export interface RamOptions {
  ram?: string;
}

export function withRamFile<T>(argv: Argv<T>): Argv<T & RamOptions> {
  return argv.option('ram', {
    type: 'string',
    requiresArg: true,
    describe: 'Of a state of QEMU that leaves RAM out (x-ignore-shared): the file with the RAM',
  }) as Argv<T & RamOptions>;
}
