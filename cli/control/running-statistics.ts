import { UsageError } from '../../formats/errors.ts';
import { sleep } from '../../formats/world/waiting.ts';
import { ExitCode } from '../process/exit-codes.ts';
import type { Job, Outcome } from '../process/run-command.ts';
import { show } from '../terminal/print.ts';
import { line, lines, NO_TEXT } from '../terminal/terminal-text.ts';
import { statisticsText } from '../text/statistics-text.ts';
import { askMachine } from './control-client.ts';

/** Shortest interval; more frequent looks show nothing more. */
const LEAST_SECONDS = 0.1;

/** Choice of a running machine's statistics, and the interval at which they are shown. */
export interface Looks {
  pattern?: string;
  /** Seconds between looks; absent for one look. */
  watch?: number;
  json: boolean;
}

/** Shows statistics of a running machine; with `watch` then changed statistics, until the user stops the command. */
export async function runningStatistics(
  { signal }: Pick<Job, 'signal'>,
  machine: string,
  looks: Looks,
): Promise<Outcome> {
  const { pattern, watch, json } = looks;
  if (watch !== undefined && json)
    throw new UsageError('bad-combination', 'Cannot watch with --json: a document has an end');
  if (watch !== undefined && !(watch >= LEAST_SECONDS))
    throw new UsageError('usage', `Cannot watch every ${watch} seconds: expected ${LEAST_SECONDS} or more`);
  const request = { command: 'stats' as const, pattern };
  const look = async () => (await askMachine(machine, request, () => {}, signal)).statistics;
  let last = await look();
  if (watch === undefined) return { exitCode: ExitCode.OK, result: { statistics: last }, text: statisticsText(last) };
  await show(statisticsText(last));
  try {
    for (;;) {
      await sleep(watch * 1000, { signal });
      const now = await look();
      const before = new Map(last.map(({ path, value }) => [path, JSON.stringify(value)]));
      const changed = now.filter(({ path, value }) => before.get(path) !== JSON.stringify(value));
      await show(changed.length === 0 ? line`nothing has changed` : lines([line``, statisticsText(changed)]));
      last = now;
    }
  } catch (error) {
    // An interruption is the normal end of watching.
    if (!signal.aborted) throw error;
    return { exitCode: ExitCode.OK, result: { statistics: last }, text: NO_TEXT };
  }
}
