import { FormatError } from '../../formats/errors.ts';
import { checkShape, list } from '../../formats/values/shape.ts';
import { fileEventShape } from '../many/journal.ts';
import { keyOf } from './add.ts';
import type { FileLine, FleetJob, FleetQueue, QueuedJobState } from './engine.ts';
import { checkWork, MOST_FILES } from './job-shape.ts';

const PAGE = 100;
const STATES: readonly QueuedJobState[] = ['completed', 'failed'];

/** The result of each file, once: the last one where work was done several times; the reason where a job failed. */
export async function resultsOf(queue: FleetQueue): Promise<FileLine[]> {
  const results = new Map<string, FileLine>();
  for (const state of STATES)
    for await (const job of jobsOf(queue, state))
      for (const [key, line] of linesOf(job)) {
        const before = results.get(key);
        if (!before || String(before.time ?? '') <= String(line.time ?? '')) results.set(key, line);
      }
  return [...results.values()].sort((a, b) => (String(a.file) < String(b.file) ? -1 : 1));
}

async function* jobsOf(queue: FleetQueue, state: QueuedJobState): AsyncGenerator<FleetJob> {
  for (let first = 0; ; first += PAGE) {
    const jobs = await queue.getJobs([state], first, first + PAGE - 1, true);
    for (const job of jobs) if (job) yield job;
    if (jobs.length < PAGE) return;
  }
}

/** @throws FormatError `bad-job` for a job of a kind that savkit does not know */
function linesOf({ data, returnvalue, failedReason }: FleetJob): [string, FileLine][] {
  const work = checkWork(data);
  const told = new Map(linesIn(returnvalue).map((line) => [line.file, line]));
  return work.files.map((file) => {
    const line = told.get(file.file) ?? failedLine(work.operation, file, String(failedReason ?? ''));
    return [keyOf(work, file), { ...line, isFound: file.isFound }];
  });
}

function linesIn(value: unknown): FileLine[] {
  if (value === null || value === undefined) return [];
  const refuse = (why: string) => new FormatError('bad-job', `Cannot read the result of a job: ${why}`);
  return checkShape(value, list(fileEventShape, MOST_FILES), refuse);
}

/** As `--ndjson` prints a file that could not be read. */
function failedLine(command: string, { file, size, modified }: FleetJob['data']['files'][number], message: string) {
  const error = { severity: 'error', code: 'worker-ended', message: `Cannot finish ${file}: ${message}`, place: {} };
  const facts = { size, modified, outcome: 'not read or written' };
  return { event: 'file', command, time: '', ...facts, file, exitCode: 4, findings: [], result: null, error };
}

/** Comma-separated values (RFC 4180, with the line ends of this system's texts). */
export function csvOf(lines: readonly FileLine[]): string {
  const rows = lines.map(({ file, command, outcome, exitCode, size, error }) =>
    [file, command, outcome, exitCode, size ?? '', (error as { message?: string } | null)?.message ?? ''].map(cellOf),
  );
  return [['file', 'command', 'outcome', 'exit code', 'size', 'message'], ...rows]
    .map((row) => `${row.join(',')}\n`)
    .join('');
}

/** What a spreadsheet would take for a formula is text. */
function cellOf(value: unknown): string {
  const text = String(value);
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
