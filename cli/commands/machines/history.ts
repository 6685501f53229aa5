import type { Argv } from 'yargs';
import { recordFolder } from '../../../migrations/hand-over/record-folder.ts';
import { findingOf } from '../../../src/saved-state/reading/findings.ts';
import { type HistoryOutcome, listRecords, type RecordedMigration } from '../../migration/list-records.ts';
import { secondsText } from '../../migration/migration-text.ts';
import { type ReportedMigration, withReports } from '../../migration/reported-figures.ts';
import { command, type OptionsOf } from '../../parsing/options-of.ts';
import { RECORDS_FOLDER } from '../../parsing/shared-options.ts';
import { ExitCode } from '../../process/exit-codes.ts';
import { type Outcome, runCommand, withCommonOptions } from '../../process/run-command.ts';
import { bad, good } from '../../terminal/styles.ts';
import { table } from '../../terminal/table.ts';
import { indent, line, lines, type Piece, type TerminalText } from '../../terminal/terminal-text.ts';
import { timeText } from '../../text/time-text.ts';

const builder = (argv: Argv) =>
  withCommonOptions(argv)
    .option('records', RECORDS_FOLDER)
    .option('machine', { type: 'string', requiresArg: true, describe: 'Only migrations of the machine of this name' })
    .option('open', {
      type: 'boolean',
      default: false,
      describe: 'Only migrations that are under way, or not settled',
    })
    .example('$0 history', 'Machines that left or reached this host')
    .example('$0 history --open', 'Migrations that need attention')
    .epilogue(
      'Exit codes: 0 listed, 3 some are not settled, or a record cannot be read. History only lists; ' +
        'savkit migrate --resolve settles them.',
    );
type Options = OptionsOf<typeof builder>;

export const historyCommand = command(builder, async (options) => {
  process.exitCode = await runCommand('history', [nameOf(options.records)], options, () =>
    history(recordFolder(options.records), options),
  );
});

function nameOf(records: string | undefined): string {
  try {
    return recordFolder(records);
  } catch {
    // Listing the records reports the error.
    return 'records';
  }
}

async function history(folder: string, { machine, open }: Options): Promise<Outcome> {
  const findings: ReturnType<typeof findingOf>[] = [];
  const all = await listRecords(folder, (path, error) => findings.push(findingOf(error.in(path))));
  const isOpen = ({ outcome }: RecordedMigration) => outcome === 'open' || outcome === 'unsettled';
  const isWanted = (each: RecordedMigration) =>
    (machine === undefined || each.machine === machine) && (!open || isOpen(each));
  const migrations = await withReports(folder, all.filter(isWanted));
  const unsettled = migrations.filter(({ outcome }) => outcome === 'unsettled');
  const rows = migrations.map(({ time, machine: name, sides, outcome, report }) => [
    timeText(time),
    name,
    OUTCOME_TEXTS[outcome](),
    sides.map(({ side, peer }) => `${side === 'source' ? 'to' : 'from'} ${peer}`).join(', '),
    sides.map(({ side, decision }) => `${side} ${decision}`).join(', '),
    report && report.downtimeMs > 0 ? secondsText(report.downtimeMs) : '',
    report?.proof ?? '',
  ]);
  return {
    exitCode: unsettled.length > 0 || findings.length > 0 ? ExitCode.PARTLY : ExitCode.OK,
    findings,
    result: { folder, migrations },
    text: lines([
      rows.length > 0
        ? table(['time (UTC)', 'machine', '', 'peer', 'on record', 'stood still', 'proof'], rows)
        : line`${folder}: ${all.length > 0 ? 'no such migrations' : 'no records of migrations'}`,
      ...migrations.flatMap(reasonsOf),
      ...unsettled.map(({ machine: name, sides }) => {
        const help = line`savkit migrate --resolve ${sides[0].record}`;
        return line`${name}: not settled, and no process of this host works on it: ${help}`;
      }),
      ...findings.map(({ message }) => bad(indent(message))),
    ]),
  };
}

/** Reasons why a migration did not go as planned. */
function reasonsOf({ machine, time, report }: ReportedMigration): TerminalText[] {
  const which = `${machine}, ${timeText(time)}`;
  return [
    ...(report && report.because !== '' ? [line`${which}: ${report.because}`] : []),
    ...(report && report.lostPages > 0 ? [line`${which}: ${bad(`${report.lostPages} pages lack a write there`)}`] : []),
  ];
}

const OUTCOME_TEXTS: Readonly<Record<HistoryOutcome, () => Piece>> = {
  moved: () => good('moved'),
  arrived: () => good('arrived'),
  stayed: () => 'stayed here',
  'not arrived': () => 'did not arrive',
  open: () => 'under way',
  unsettled: () => bad('not settled'),
};
