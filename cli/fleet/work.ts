import { setTimeout } from 'node:timers/promises';
import { EnvironmentError } from '../../formats/errors.ts';
import { TRIED_AGAIN } from '../process/exit-codes.ts';
import { runOwnProcess } from '../process/own-process.ts';
import type { FileLine, Fleet, FleetJob, FleetQueue, Work } from './engine.ts';
import { queueInTime } from './in-time.ts';
import { checkWork, workIn } from './job-shape.ts';

const LOOK_MS = 500;
/**
 * Maximum number of errors of the client within LOOK_MS. Only a client that tries again at once has more, and may leave
 * no time for other work.
 */
const MOST_ERRORS = 100;

/**
 * Does a job in a process of its own, by the command line: in this process, a busy event loop would lose the lock on
 * the job.
 * @throws Error for a failure that may pass, so that the job is tried again; FormatError for a job that workers do not
 * take
 */
export async function workOff(job: FleetJob, signal: AbortSignal): Promise<FileLine[]> {
  const { operation, options, files } = checkWork(job.data);
  const lines: FileLine[] = [];
  const words = [operation, '--files-from', '-', '--null', '--threads', '1', ...options];
  const exitCode = await runOwnProcess(words, {
    input: files.map(({ file }) => `${file}\0`).join(''),
    signal,
    onEvent: (event) => {
      if (event.event === 'file') lines.push(event);
    },
  });
  const isLast = job.attemptsMade + 1 >= (job.opts.attempts ?? 1);
  const isWhole = lines.length === files.length;
  const again = lines.find((line) => TRIED_AGAIN.includes(line.exitCode));
  if (signal.aborted) throw new Error('interrupted');
  if (!isWhole) throw new Error(`savkit ${operation} ended with ${exitCode ?? 'a signal'} after ${lines.length} files`);
  if (again && !isLast) throw new Error(`${again.file}: exit code ${again.exitCode}`);
  return lines;
}

/** Callbacks about work in progress. */
export interface WorkReport {
  /** A job is done, or was given back with an error. */
  onDone(job: FleetJob, work: Work | undefined, error: Error | undefined): void;
  /** Called when the server fails; the worker tries again. */
  onTrouble(error: Error): void;
}

/**
 * Works until a signal comes, or until no jobs are left.
 * @throws EnvironmentError for a queue that cannot be used, as another program has made or changed it
 */
export async function workLong(
  fleet: Fleet,
  options: { jobs: number; untilEmpty: boolean },
  signal: AbortSignal,
  report: WorkReport,
): Promise<number> {
  const queue = queueInTime(fleet.queue());
  queue.on('error', () => {});
  try {
    // A worker would never give up a server that does not answer, so the server is asked first.
    await queue.getJobCounts('waiting').catch((error) => {
      throw EnvironmentError.from(error, 'reach the queue');
    });
    return await workOn(fleet, queue, options, signal, report);
  } finally {
    await queue.close();
  }
}

async function workOn(
  fleet: Fleet,
  queue: FleetQueue,
  { jobs, untilEmpty }: { jobs: number; untilEmpty: boolean },
  signal: AbortSignal,
  { onDone, onTrouble }: WorkReport,
): Promise<number> {
  let done = 0;
  const trouble = { errors: 0, last: '' };
  const isBroken = () => trouble.errors >= MOST_ERRORS;
  const worker = fleet.worker((job) => workOff(job, signal), jobs);
  worker.on('error', (error: Error) => {
    onTrouble(error);
    trouble.last = error.message;
    if (++trouble.errors === MOST_ERRORS) void worker.close(true).catch(() => {});
  });
  worker.on('completed', (job: FleetJob) => {
    done++;
    onDone(job, workIn(job), undefined);
  });
  worker.on('failed', (job: FleetJob | undefined, error: Error) => job && onDone(job, workIn(job), error));
  try {
    while (!signal.aborted && !isBroken() && !(untilEmpty && (await isEmpty(queue)))) {
      if (!isBroken()) trouble.errors = 0;
      await setTimeout(LOOK_MS, undefined, { signal }).catch(() => {});
    }
  } finally {
    await worker.close();
  }
  if (isBroken()) throw new EnvironmentError('no-queue', `Cannot use the queue: ${trouble.last}`);
  return done;
}

/** Whether no jobs are left; false where the server does not answer. */
async function isEmpty(queue: FleetQueue): Promise<boolean> {
  const counts = await queue.getJobCounts('waiting', 'active', 'delayed').catch(() => ({ waiting: 1 }));
  return Object.values(counts).every((count) => count === 0);
}
