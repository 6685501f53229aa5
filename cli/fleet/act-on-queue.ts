import { countText } from '../../formats/amounts.ts';
import { EnvironmentError, SavkitError, UsageError } from '../../formats/errors.ts';
import { addressName } from '../../formats/files/web/address-name.ts';
import { SECRET_VARIABLES } from '../../formats/world/secret-variables.ts';
import { summaryText, Tally } from '../many/summary.ts';
import { expectWholeNumber } from '../parsing/whole-number.ts';
import { ExitCode, gravest } from '../process/exit-codes.ts';
import { type CommonOptions, type Job, NO_STATE, type Outcome } from '../process/run-command.ts';
import { show, showJson, tell } from '../terminal/print.ts';
import { sizeText } from '../terminal/size-text.ts';
import { table } from '../terminal/table.ts';
import { line, lines, NO_TEXT, ownLines } from '../terminal/terminal-text.ts';
import { LiveReport } from '../text/live-report.ts';
import { addFiles } from './add.ts';
import type { AnswerLimit } from './answer-limit.ts';
import { type FileLine, Fleet, type FleetJob, type Work } from './engine.ts';
import { expectServer } from './expect-server.ts';
import { queueInTime } from './in-time.ts';
import { expectJobOptions, OPERATIONS } from './job-shape.ts';
import { csvOf, resultsOf } from './results.ts';
import { workLong } from './work.ts';

export const FLEET_ACTIONS = ['add', 'work', 'status', 'report'] as const;

export interface FleetOptions extends CommonOptions {
  action: (typeof FLEET_ACTIONS)[number];
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
/** Failed attempts after which a server counts as out of reach; they take half a minute. */
const MOST_ERRORS = 10;

/** @param onStaysOpen called where the connection to the server could not be closed */
export async function actOnQueue(
  options: FleetOptions,
  job: Job,
  limit: AnswerLimit,
  onStaysOpen: () => void,
): Promise<Outcome> {
  const { action, queue: url = process.env[SECRET_VARIABLES.queue] ?? '', jobs } = options;
  if (url === '') throw new UsageError('usage', `Cannot ${action}: expected --queue URL, or ${SECRET_VARIABLES.queue}`);
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
    // Closing would wait for an answer of a server that fails.
    await Promise.race([queue.close(), failing]).catch(onStaysOpen);
  }
}

/** @throws UsageError for arguments that no queue takes */
function checkAdd({ words: [operation, ...paths], filesFrom, with: options }: FleetOptions): void {
  if (!OPERATIONS.some((each) => each === operation))
    throw new UsageError(
      'usage',
      `Cannot add ${operation ?? 'nothing'}: expected one of ${OPERATIONS.join(', ')}, then files`,
    );
  if (paths.length === 0 && filesFrom === undefined)
    throw new UsageError('missing-argument', `Cannot add: expected files to ${operation}`);
  expectJobOptions(options);
}

async function add(queue: ReturnType<Fleet['queue']>, options: FleetOptions, { signal }: Job): Promise<Outcome> {
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

async function work(own: Fleet, options: FleetOptions, { signal }: Job): Promise<Outcome> {
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
  // Retries fail in the same way, so only the first failure is reported.
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

async function report(queue: ReturnType<Fleet['queue']>, options: FleetOptions): Promise<Outcome> {
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

/** Shortens a line for the JSON document, which holds the outcome of each file; only `--ndjson` holds all findings. */
function shortened({ file, command, outcome, exitCode, size, modified, time }: FileLine): object {
  return { file, command, outcome, exitCode, size: size ?? null, modified: modified ?? null, time };
}
