import { EnvironmentError } from '../../formats/errors.ts';
import { openFileSink } from '../../formats/files/sink.ts';
import { isFreeOr } from '../io/own-file.ts';
import { familyText, type Sample } from '../metrics/exposition.ts';
import type { ExitCode } from '../process/exit-codes.ts';
import type { Summary } from './summary.ts';

/** Results of a run over files, in the format of Prometheus. */
export function metricsText(command: string, summary: Summary, exitCode: ExitCode, seconds: number, now: Date): string {
  const gauge = (name: string, help: string, samples: readonly Sample[]) =>
    familyText(name, { help, type: 'gauge' }, samples);
  const of = (value: number): Sample[] => [{ labels: { command }, value }];
  const outcomes = Object.entries(summary.outcomes).map(([outcome, value]) => ({
    labels: { command, outcome },
    value,
  }));
  return [
    gauge('savkit_files', 'Files that the last run was over, by outcome.', outcomes),
    gauge('savkit_files_resumed', 'Files that the journal had already.', of(summary.resumed)),
    gauge('savkit_run_exit_code', 'Exit code of the last run.', of(exitCode)),
    gauge('savkit_run_duration_seconds', 'How long the last run took.', of(Math.round(seconds * 1000) / 1000)),
    gauge('savkit_run_end_timestamp_seconds', 'When the last run ended.', of(Math.floor(now.getTime() / 1000))),
  ].join('');
}

/** Refuses to overwrite a file that holds no metrics. @throws EnvironmentError `EEXIST` */
export async function expectMetrics(path: string): Promise<void> {
  if (!(await isFreeOr(path, /^# HELP savkit_/)))
    throw new EnvironmentError('EEXIST', `Cannot replace ${path}: it is there already, and no file of --metrics`);
}

/**
 * Replaces the file atomically, so that a collector never reads half of it. All users can read the file, since
 * collectors run as other users.
 * @throws EnvironmentError
 */
export async function writeMetrics(path: string, text: string): Promise<void> {
  await expectMetrics(path);
  const sink = await openFileSink(path, { force: true, isForOthers: true });
  try {
    await sink.write(Buffer.from(text));
    await sink.commit();
  } finally {
    await sink.abort();
  }
}
