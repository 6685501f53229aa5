import type { Argv } from 'yargs';
import { UsageError } from '../../formats/errors.ts';
import type { CommonOptions } from '../process/run-command.ts';

/** Of commands that take any number of files. */
export interface ManyOptions extends CommonOptions {
  recursive: boolean;
  filesFrom?: string;
  null: boolean;
  ndjson: boolean;
  jobs: number;
  journal?: string;
  resume: boolean;
  metrics?: string;
}

export function withManyFiles<T>(argv: Argv<T>): Argv<T & ManyOptions> {
  return argv
    .option('recursive', {
      type: 'boolean',
      alias: 'r',
      default: false,
      describe: 'Take all files in the folders that are named; those that are no states are counted only',
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
      describe: 'Names in the list end with a zero byte, as of find -print0',
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
      describe: 'Leave out what the journal has already, by path, size and time',
    })
    .option('metrics', {
      type: 'string',
      requiresArg: true,
      describe: 'At the end, write what came of the files for Prometheus, replacing the file',
    }) as unknown as Argv<T & ManyOptions>;
}

/** Of commands that write a file for each one that they read. */
export interface IntoOptions {
  into?: string;
}

export function withInto<T>(argv: Argv<T>): Argv<T & IntoOptions> {
  return argv.option('into', {
    type: 'string',
    requiresArg: true,
    describe: 'Of many files: the folder in which the output of each one goes, under its own path',
  }) as unknown as Argv<T & IntoOptions>;
}

/** Whether any option asks for more than the files that are named. */
export function isForMany({ recursive, filesFrom, journal, jobs }: ManyOptions): boolean {
  return recursive || filesFrom !== undefined || journal !== undefined || jobs > 1;
}

const MOST_JOBS = 256;

/** @throws UsageError */
export function checkManyOptions(options: ManyOptions): void {
  const { jobs, resume, journal, filesFrom, null: isNull } = options;
  if (!Number.isInteger(jobs) || jobs < 1 || jobs > MOST_JOBS)
    throw new UsageError('bad-value', `--jobs ${jobs}: expected a whole number from 1 to ${MOST_JOBS}`);
  if (resume && journal === undefined)
    throw new UsageError('bad-combination', '--resume goes with --journal: it names what is done already');
  if (isNull && filesFrom === undefined) throw new UsageError('bad-combination', '--null goes with --files-from');
}
