import { setTimeout } from 'node:timers/promises';
import { readRecord, recordPath, type SourceDecision } from '../../migrations/hand-over/decision-record.ts';
import { ExitCode } from '../process/exit-codes.ts';
import type { Outcome } from '../process/run-command.ts';
import { indent, line, lines } from '../terminal/terminal-text.ts';
import type { LiveReport } from '../text/live-report.ts';
import { resolveRecords } from './resolve-records.ts';

// Finds out where a machine is when the process that ran it cannot tell.

/** Time in which a cancelled migration ends, unless it is stuck. */
const WAIT_MS = 3000;
const LOOK_MS = 50;

const WORDS: Readonly<Partial<Record<SourceDecision, string>>> = {
  kept:
    'Cancelled: the machine runs on here; savkit migrate moves it at any time, gently with --bandwidth, sooner ' +
    'with --max-downtime',
  done: 'Too late to cancel: the target has the machine',
  'handed-over': 'Too late to cancel: the machine was handed over, and stands still here until the target answers',
};

/** Tells where a machine is after the user has cancelled its migration. */
export async function tellAfterCancel(
  report: LiveReport,
  records: string,
  migration: string | undefined,
): Promise<void> {
  if (migration === undefined)
    return report.note('cancelled', line`Cancelled before the migration began: the machine runs on here`);
  const path = recordPath(records, migration, 'source');
  const decision = await lastDecision(path);
  const unknown = `Cancelled; it is not known yet where the machine is: savkit migrate --resolve with ${path} tells`;
  report.note('cancelled', line`${WORDS[decision as SourceDecision] ?? unknown}`, { decision, record: path });
}

async function lastDecision(path: string): Promise<string> {
  for (const end = performance.now() + WAIT_MS; ; ) {
    const decision = await readRecord(path).then(
      (record) => record.decision,
      () => 'unknown',
    );
    if (decision === 'kept' || decision === 'done' || performance.now() > end) return decision;
    await setTimeout(LOOK_MS);
  }
}

/** The record's statement about a machine whose process has ended, or fallen silent, during a migration. */
export async function outcomeFromRecord(
  records: string,
  migration: string,
  { message }: { message: string },
): Promise<Outcome> {
  const path = recordPath(records, migration, 'source');
  const { result, text } = await resolveRecords({ resolve: path, peerEnded: false });
  const told = [line`${message}. What is on record:`, text];
  const advice = `with the target's record: savkit migrate --resolve ${path} --peer-record …`;
  return { exitCode: ExitCode.PARTLY, result, text: lines([...told, indent(advice)]) };
}
