import { openFileSink } from '../../formats/files/sink.ts';
import type { ExitCode } from '../process/exit-codes.ts';
import type { Summary } from './summary.ts';

/** What a run over files has come to, as Prometheus reads it (text exposition format 0.0.4). */
export function metricsText(command: string, summary: Summary, exitCode: ExitCode, seconds: number, now: Date): string {
  const label = (value: string) =>
    value.replace(/[\\"\n]/g, (character) => (character === '\n' ? '\\n' : `\\${character}`));
  const of = `command="${label(command)}"`;
  const outcomes = Object.entries(summary.outcomes).map(
    ([outcome, count]) => `savkit_files{${of},outcome="${label(outcome)}"} ${count}`,
  );
  return [
    ...family('savkit_files', 'Files that the last run was over, by outcome.', outcomes),
    ...family('savkit_files_resumed', 'Of them, those that the journal had already.', [
      `savkit_files_resumed{${of}} ${summary.resumed}`,
    ]),
    ...family('savkit_run_exit_code', 'Exit code of the last run.', [`savkit_run_exit_code{${of}} ${exitCode}`]),
    ...family('savkit_run_duration_seconds', 'How long the last run took.', [
      `savkit_run_duration_seconds{${of}} ${seconds.toFixed(3)}`,
    ]),
    ...family('savkit_run_end_timestamp_seconds', 'When the last run ended.', [
      `savkit_run_end_timestamp_seconds{${of}} ${Math.floor(now.getTime() / 1000)}`,
    ]),
    '',
  ].join('\n');
}

function family(name: string, help: string, samples: readonly string[]): string[] {
  return samples.length === 0 ? [] : [`# HELP ${name} ${help}`, `# TYPE ${name} gauge`, ...samples];
}

/** Puts the file in place in one step: a collector never reads half of it. @throws EnvironmentError */
export async function writeMetrics(path: string, text: string): Promise<void> {
  const sink = await openFileSink(path, { force: true });
  try {
    await sink.write(Buffer.from(text));
    await sink.commit();
  } finally {
    await sink.abort();
  }
}
