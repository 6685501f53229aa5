import { FormatError, UsageError } from '../../formats/errors.ts';
import { checkShape, count, flag, list, oneOf, orNull, record, text } from '../../formats/values/shape.ts';
import { typedName } from '../parsing/option-name.ts';
import type { FleetJob, Work } from './engine.ts';

// Others write to the server of the queue as well, so jobs are checked like files.

/** Commands that workers run: none of them runs another program, or moves a machine. */
export const OPERATIONS = ['verify', 'inspect', 'manifest', 'convert', 'check'] as const;

/** Maximum number of files in one job: small ones share it. */
export const MOST_FILES = 50;

/** Options that a worker sets itself: its files, and where results go. */
const WORKERS_OWN = [
  ...['files-from', 'null', 'recursive', 'jobs', 'threads', 'journal', 'resume', 'metrics'],
  ...['ndjson', 'json', 'quiet', 'output', 'help', 'version'],
];

const workShape = record({
  operation: oneOf(...OPERATIONS),
  options: list(text(4096), 100),
  files: list(
    record({ file: text(65_536), size: orNull(count), modified: orNull(text(100)), isFound: flag }),
    MOST_FILES,
  ),
});

/** @throws FormatError `bad-job` */
export function checkWork(value: unknown): Work {
  const refuse = (why: string) => new FormatError('bad-job', `Cannot take a job of the queue: ${why}`);
  const work = checkShape(value, workShape, refuse);
  const unfit = unfitOption(work.options);
  if (unfit !== undefined) throw refuse(`workers themselves give option ${unfit}`);
  return work;
}

/** The work in a job; undefined for a job that savkit has not made. */
export function workIn({ data }: Pick<FleetJob, 'data'>): Work | undefined {
  try {
    return checkWork(data);
  } catch {
    return undefined;
  }
}

/** @throws UsageError for options that no job can have */
export function expectJobOptions(options: readonly string[]): void {
  const unfit = unfitOption(options);
  if (unfit !== undefined)
    throw new UsageError('bad-value', `--with=${unfit}: expected the long name of an option that applies to each file`);
}

function unfitOption(options: readonly string[]): string | undefined {
  return options.find((word) => {
    if (!word.startsWith('-')) return false;
    const [, name = ''] = /^--(?:no-)?([^=.]{2,})/.exec(word) ?? [];
    return name === '' || WORKERS_OWN.includes(typedName(name));
  });
}
