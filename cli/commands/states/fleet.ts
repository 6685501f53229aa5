import type { Argv, CommandModule } from 'yargs';
import { countText } from '../../../formats/amounts.ts';
import { EnvironmentError, SavkitError, UsageError } from '../../../formats/errors.ts';
import { addressName } from '../../../formats/files/web/address-name.ts';
import { addFiles } from '../../fleet/add.ts';
import { AnswerLimit } from '../../fleet/answer-limit.ts';
import { type FileLine, Fleet, type FleetJob, type Work } from '../../fleet/engine.ts';
import { expectServer } from '../../fleet/expect-server.ts';
import { queueInTime } from '../../fleet/in-time.ts';
import { expectJobOptions, OPERATIONS } from '../../fleet/job-shape.ts';
import { csvOf, resultsOf } from '../../fleet/results.ts';
import { workLong } from '../../fleet/work.ts';
import { unlessAborted } from '../../io/stop.ts';
import { summaryText, Tally } from '../../many/summary.ts';
import { expectWholeNumber } from '../../parsing/whole-number.ts';
import { custody } from '../../process/custody.ts';
import { ExitCode, gravest } from '../../process/exit-codes.ts';
import {
  type CommonOptions,
  type Job,
  NO_STATE,
  type Outcome,
  runCommand,
  withCommonOptions,
} from '../../process/run-command.ts';
import { show, showJson, tell, unreadBytes } from '../../terminal/print.ts';
import { sizeText } from '../../terminal/size-text.ts';
import { table } from '../../terminal/table.ts';
import { line, lines, NO_TEXT, ownLines } from '../../terminal/terminal-text.ts';
import { LiveReport } from '../../text/live-report.ts';

const ACTIONS = ['add', 'work', 'status', 'report'] as const;

interface Options extends CommonOptions {
  action: (typeof ACTIONS)[number];
  words: string[];
  queue?: string;
  with: string[];
  recursive: boolean;
  filesFrom?: string;
  null: boolean;
  jobs: number;
  untilEmpty: boolean;
  csv: boolean;
}

const MOST_JOBS = 64;
/** Time for giving jobs under way back to the server. */
const FAREWELL_MS = 5000;
/** Errors of a server, each after another attempt, until it counts as out of reach; that takes half a minute. */
const MOST_ERRORS = 10;
/** Time for the server's client to end by itself. */
const EXIT_MS = 200;

export const fleetCommand: CommandModule<object, Options> = {
  builder: (argv) =>
    withCommonOptions(argv)
      .positional('action', {
        choices: ACTIONS,
        demandOption: true,
        describe: 'add: put files into the queue; work: do its jobs; status: count them; report: list the results',
      })
      .positional('words', {
        type: 'string',
        array: true,
        default: [],
        describe: `Of add: ${OPERATIONS.join(', ')}; then files and, with -r, folders, as all workers can open them`,
      })
      .option('queue', {
        type: 'string',
        requiresArg: true,
        describe:
          'redis://HOST:PORT or postgres://HOST:PORT/DATABASE; default: SAVKIT_QUEUE, which hides a password from ' +
          'other users',
      })
      .option('with', {
        type: 'string',
        array: true,
        requiresArg: true,
        default: [],
        describe: 'Of add: an option of the operation, such as --with=--hash; may be given several times',
      })
      .option('recursive', {
        type: 'boolean',
        alias: 'r',
        default: false,
        describe: 'Of add: take all files in folders',
      })
      .option('files-from', {
        type: 'string',
        requiresArg: true,
        describe: 'Of add: also the files of this list, one a line; - for stdin',
      })
      .option('null', {
        type: 'boolean',
        alias: '0',
        default: false,
        describe: 'Names in the list end with a NUL byte',
      })
      .option('jobs', { type: 'number', requiresArg: true, default: 1, describe: 'Of work: jobs side by side' })
      .option('until-empty', {
        type: 'boolean',
        default: false,
        describe: 'Of work: end when no jobs are left',
      })
      .option('csv', { type: 'boolean', default: false, describe: 'Of report: comma-separated values' })
      .option('ndjson', { type: 'boolean', default: false, describe: 'Print JSON, one event or file a line' })
      .example('$0 fleet add verify -r /archive --queue redis://queue', 'Files that all hosts see under this path')
      .example('$0 fleet work --jobs 4 --queue redis://queue', 'On each host')
      .example('$0 fleet report --ndjson --queue redis://queue > results.ndjson', 'For savkit report, too')
      .epilogue(
        'Exit codes: of report the gravest of the files, as with the operation itself, or 3 where jobs in the queue ' +
          'are not of savkit; 4 the queue cannot be reached; 130 a signal has ended it (the usual end of work).',
      ) as unknown as Argv<Options>,
  handler: async (options) => {
    const patience = options.action === 'work' ? FAREWELL_MS : 0;
    const limit = new AnswerLimit();
    custody.takesUncaught = (error) => limit.takeUncaught(error);
    let staysOpen = false;
    const onStaysOpen = () => {
      staysOpen = true;
    };
    const exitCode = await runCommand('fleet', [options.action], options, (job) =>
      unlessAborted(job.signal, patience, Promise.race([fleet(options, job, limit, onStaysOpen), limit.exceeded])),
    );
    limit.end();
    process.exitCode = exitCode;
    // The client of a failing server tries on for ever, and would keep the process alive.
    const isStuck = staysOpen || exitCode === ExitCode.ENVIRONMENT || exitCode === ExitCode.INTERRUPTED;
    if (isStuck) setInterval(() => unreadBytes() === 0 && process.exit(), EXIT_MS).unref();
  },
};

/** @param onStaysOpen called where the connection to the server could not be closed */
async function fleet(options: Options, job: Job, limit: AnswerLimit, onStaysOpen: () => void): Promise<Outcome> {
  const { action, queue: url = process.env.SAVKIT_QUEUE ?? '', jobs } = options;
  if (url === '') throw new UsageError('usage', `Cannot ${action}: expected --queue URL, or SAVKIT_QUEUE`);
  expectWholeNumber('jobs', jobs, MOST_JOBS);
  if (action === 'add') checkAdd(options);
  const own = new Fleet(url, limit);
  await expectServer(url);
  if (action === 'work') return await work(own, options, job);
  const queue = queueInTime(own.queue());
  const failing = new Promise<never>((_, reject) => {
    let errors = 0;
    queue.on('error', (error) => ++errors < MOST_ERRORS || reject(error));
  });
  try {
    const act =
      action === 'add' ? add(queue, options, job) : action === 'status' ? status(queue) : report(queue, options);
    return await Promise.race([act, failing]);
  } catch (error) {
    // A client that stumbles over an answer throws such errors.
    if (error instanceof TypeError && limit.takeUncaught(error)) await limit.exceeded;
    throw error instanceof SavkitError ? error : EnvironmentError.from(error, 'reach the queue');
  } finally {
    // Of a server that fails, it would wait for an answer.
    await Promise.race([queue.close(), failing]).catch(onStaysOpen);
  }
}

/** @throws UsageError for arguments that no queue takes */
function checkAdd({ words: [operation, ...paths], filesFrom, with: options }: Options): void {
  if (!OPERATIONS.some((each) => each === operation))
    throw new UsageError(
      'usage',
      `Cannot add ${operation ?? 'nothing'}: expected one of ${OPERATIONS.join(', ')}, then files`,
    );
  if (paths.length === 0 && filesFrom === undefined)
    throw new UsageError('missing-argument', `Cannot add: expected files to ${operation}`);
  expectJobOptions(options);
}

async function add(queue: ReturnType<Fleet['queue']>, options: Options, { signal }: Job): Promise<Outcome> {
  const [operation, ...paths] = options.words;
  const { files } = await addFiles(queue, { ...options, operation, paths }, signal);
  return {
    exitCode: ExitCode.OK,
    result: { action: 'fleet-add', operation, files },
    text: options.quiet ? NO_TEXT : line`${files} files are in the queue`,
  };
}

async function status(queue: ReturnType<Fleet['queue']>): Promise<Outcome> {
  const counts = await queue.getJobCounts('waiting', 'active', 'delayed', 'completed', 'failed');
  const { waiting = 0, active = 0, delayed = 0, completed = 0, failed = 0 } = counts;
  const open = line`${waiting} wait, ${active} are worked on, ${delayed} are tried again later`;
  return {
    exitCode: ExitCode.OK,
    result: { action: 'fleet-status', waiting, active, delayed, completed, failed },
    text: line`jobs: ${open}, ${completed} done, ${failed} failed`,
  };
}

async function work(own: Fleet, options: Options, { signal }: Job): Promise<Outcome> {
  const live = new LiveReport(options);
  const onDone = ({ id = '' }: FleetJob, work: Work | undefined, error: Error | undefined) => {
    const { operation = '', files = [] } = work ?? {};
    const about = work
      ? line`${operation}, ${files.length} files from ${addressName(files[0]?.file ?? '')} on`
      : line`job ${id}`;
    live.note('job', line`${about}: ${error ? error.message : 'done'}`, {
      id,
      operation,
      files: files.length,
      error: error?.message ?? null,
    });
  };
  live.note('working', line`Waits for jobs; Ctrl-C ends it`, { pid: process.pid });
  // Each retry fails in the same way: it is reported once.
  let last = '';
  const onTrouble = ({ message }: Error) => {
    if (message !== last) live.note('trouble', line`The queue: ${message}; trying on`, { error: message });
    last = message;
  };
  const jobs = await workLong(own, options, signal, { onDone, onTrouble });
  live.stop();
  return {
    exitCode: ExitCode.OK,
    result: { action: 'fleet-work', jobs },
    text: options.quiet ? NO_TEXT : line`${jobs} jobs done`,
  };
}

async function report(queue: ReturnType<Fleet['queue']>, options: Options): Promise<Outcome> {
  const { lines: results, strangers } = await resultsOf(queue);
  const tally = new Tally();
  for (const { exitCode, outcome, isFound } of results) {
    // As in the operation itself, a file of a folder that is no saved state does not change the exit code.
    const counts = !(isFound && outcome === NO_STATE);
    tally.add(counts ? (exitCode as ExitCode) : ExitCode.OK, String(outcome));
  }
  if (options.ndjson) for (const each of results) await showJson(each, { isEvent: true });
  if (options.csv && !options.json) await show(ownLines(csvOf(results).trimEnd()));
  const rows = results.map(({ file, outcome, size, error }) => [
    String(file),
    String(outcome),
    typeof size === 'number' ? sizeText(size) : '',
    (error as { message?: string } | null)?.message ?? '',
  ]);
  if (strangers > 0 && !options.quiet && !options.json)
    tell(line`${countText(strangers, 'job')} in the queue, not of savkit: left out`);
  const text = lines([table(['file', '', 'size', ''], rows), summaryText(tally.summary)]);
  const result = {
    action: 'fleet-report',
    ...tally.summary,
    strangers,
    results: options.ndjson ? [] : results.map(shortened),
  };
  // A job that is not understood may be one of savkit that somebody has changed.
  const exitCode = gravest([tally.exitCode, strangers > 0 ? ExitCode.PARTLY : ExitCode.OK]);
  return { exitCode, result, text: options.csv || options.quiet ? NO_TEXT : text };
}

/** The JSON document holds the outcome of each file; only `--ndjson` holds all findings. */
function shortened({ file, command, outcome, exitCode, size, modified, time }: FileLine): object {
  return { file, command, outcome, exitCode, size: size ?? null, modified: modified ?? null, time };
}
