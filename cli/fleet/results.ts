import { FormatError } from '../../formats/errors.ts';
import { addressName } from '../../formats/files/web/address-name.ts';
import { checkShape, list } from '../../formats/values/shape.ts';
import { fileEventShape } from '../many/journal.ts';
import { keyOf } from './add.ts';
import type { FileLine, FleetJob, FleetQueue, QueuedJobState, Work } from './engine.ts';
import { MOST_FILES, workIn } from './job-shape.ts';

/** Jobs that are asked for at once: an answer is held in memory until its end. */
const PAGE = 5;
const STATES: readonly QueuedJobState[] = ['completed', 'failed'];

/** Results in a queue. */
export interface Results {
  /** One result for each file: the last one, if work was done several times; the reason, if a job failed. */
  lines: FileLine[];
  /** Number of jobs that are not savkit's. */
  strangers: number;
}

/** Reads all results; foreign jobs in the queue are left out. */
export async function resultsOf(queue: FleetQueue): Promise<Results> {
  const results = new Map<string, FileLine>();
  let strangers = 0;
  for (const state of STATES)
    for await (const job of jobsOf(queue, state)) {
      const work = workIn(job);
      if (!work) strangers++;
      else
        for (const [key, line] of linesOf(work, job)) {
          const before = results.get(key);
          if (!before || String(before.time ?? '') <= String(line.time ?? '')) results.set(key, line);
        }
    }
  const lines = [...results.values()].sort((a, b) => (String(a.file) < String(b.file) ? -1 : 1));
  return { lines, strangers };
}

async function* jobsOf(queue: FleetQueue, state: QueuedJobState): AsyncGenerator<FleetJob> {
  for (let first = 0; ; first += PAGE) {
    const jobs = await queue.getJobs([state], first, first + PAGE - 1, true);
    for (const job of jobs) if (job) yield job;
    if (jobs.length < PAGE) return;
  }
}

function linesOf(work: Work, { returnvalue, failedReason }: FleetJob): [string, FileLine][] {
  const told = linesIn(returnvalue, work.operation);
  const byFile = typeof told === 'string' ? undefined : new Map(told.map((line) => [line.file, line]));
  const why = typeof told === 'string' ? told : String(failedReason ?? '');
  return work.files.map((file) => {
    const line = byFile?.get(addressName(file.file)) ?? failedLine(work.operation, file, why);
    return [keyOf(work, file), { ...line, isFound: file.isFound }];
  });
}

/** @returns the lines; a message if the value is not savkit's */
function linesIn(value: unknown, command: string): FileLine[] | string {
  if (value === null || value === undefined) return [];
  const refuse = (why: string) => new FormatError('bad-job', why);
  try {
    const lines = checkShape(value, list(fileEventShape, MOST_FILES), refuse);
    if (lines.some((line) => line.command !== command)) throw refuse('it is one of another command');
    return lines;
  } catch (error) {
    return `the result in the queue is not of savkit: ${(error as FormatError).message}`;
  }
}

/** The line that `--ndjson` prints for a file that could not be read. */
function failedLine(command: string, { size, modified, ...given }: FleetJob['data']['files'][number], message: string) {
  const file = addressName(given.file);
  const error = { severity: 'error', code: 'worker-ended', message: `Cannot finish ${file}: ${message}`, place: {} };
  const facts = { size, modified, outcome: 'not read or written' };
  return { event: 'file', command, time: '', ...facts, file, exitCode: 4, findings: [], result: null, error };
}

/** Comma-separated values (RFC 4180, but with line feeds). */
export function csvOf(lines: readonly FileLine[]): string {
  const rows = lines.map(({ file, command, outcome, exitCode, size, error }) =>
    [file, command, outcome, exitCode, size ?? '', (error as { message?: string } | null)?.message ?? ''].map(cellOf),
  );
  return [['file', 'command', 'outcome', 'exit code', 'size', 'message'], ...rows]
    .map((row) => `${row.join(',')}\n`)
    .join('');
}

/** A cell that a spreadsheet would take for a formula is marked as text. */
function cellOf(value: unknown): string {
  const text = String(value);
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
