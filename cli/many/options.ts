import type { Argv } from 'yargs';
import { UsageError } from '../../formats/errors.ts';
import type { OptionsOf } from '../parsing/options-of.ts';
import { expectWholeNumber } from '../parsing/whole-number.ts';
import type { CommonOptions } from '../process/run-command.ts';

export function withManyFiles<T>(argv: Argv<T>) {
  return argv
    .option('recursive', {
      type: 'boolean',
      alias: 'r',
      default: false,
      describe: 'Take all files in the named folders; files that are no states are only counted',
    })
    .option('files-from', {
      type: 'string',
      requiresArg: true,
      describe: 'Take the files that this list names, one a line; - for stdin, read as it comes',
    })
    .option('null', {
      type: 'boolean',
      alias: '0',
      default: false,
      describe: 'Names in the list end with a NUL byte, as of find -print0',
    })
    .option('ndjson', {
      type: 'boolean',
      default: false,
      describe: 'Print an event in JSON for each file as soon as it is done, one a line',
    })
    .option('jobs', {
      type: 'number',
      requiresArg: true,
      default: 1,
      describe: 'Files side by side, each in a process of its own',
    })
    .option('journal', {
      type: 'string',
      requiresArg: true,
      describe: 'Note each file that is done, with its result, in this file (the events of --ndjson)',
    })
    .option('resume', {
      type: 'boolean',
      default: false,
      describe: 'Leave out files that the journal has already, by path, size and time',
    })
    .option('metrics', {
      type: 'string',
      requiresArg: true,
      describe: 'At the end, write the outcomes of all files for Prometheus, replacing the file',
    });
}

/** Options of commands that take any number of files. */
export type ManyOptions = OptionsOf<typeof withManyFiles> & CommonOptions;

export function withInto<T>(argv: Argv<T>) {
  return argv.option('into', {
    type: 'string',
    requiresArg: true,
    describe: 'Of many files: the folder into which the output of each file goes, under the path of the file',
  });
}

/** Options of commands that write a file for each file that they read. */
export type IntoOptions = OptionsOf<typeof withInto>;

/** Whether an option for many files is given. */
export function isForMany({ recursive, filesFrom, journal, jobs }: ManyOptions): boolean {
  return recursive || filesFrom !== undefined || journal !== undefined || jobs > 1;
}

const MOST_JOBS = 256;

/** @throws UsageError */
export function checkManyOptions(options: ManyOptions): void {
  const { jobs, resume, journal, filesFrom, null: isNull } = options;
  expectWholeNumber('jobs', jobs, MOST_JOBS);
  if (resume && journal === undefined)
    throw new UsageError('bad-combination', '--resume goes with --journal: it names what is done already');
  if (isNull && filesFrom === undefined) throw new UsageError('bad-combination', '--null goes with --files-from');
}
