import type { Argv } from 'yargs';
import { UsageError } from '../../../formats/errors.ts';
import { sleep, systemDate } from '../../../formats/world/waiting.ts';
import { recordFolder } from '../../../migrations/hand-over/record-folder.ts';
import { findingOf } from '../../../src/saved-state/reading/findings.ts';
import { defaultSocketFolders } from '../../control/keep-running.ts';
import { command, type OptionsOf } from '../../parsing/options-of.ts';
import { filesOf, RECORDS_FOLDER } from '../../parsing/shared-options.ts';
import { ExitCode } from '../../process/exit-codes.ts';
import { isForPrograms, type Job, type Outcome, runCommand, withCommonOptions } from '../../process/run-command.ts';
import { redrawScreen, show, showJson, terminalColumns } from '../../terminal/print.ts';
import { line, lines, NO_TEXT, type TerminalText } from '../../terminal/terminal-text.ts';
import { timeText } from '../../text/time-text.ts';
import { lookOnce, type TopRow } from '../../top/look.ts';
import { topText } from '../../top/top-text.ts';

const DEFAULT_SECONDS = 1;
const LEAST_SECONDS = 0.1;

const builder = (argv: Argv) =>
  withCommonOptions(argv)
    .positional(
      'machines',
      filesOf(
        'Control sockets, qmp:PATH or libvirt:DOMAIN for guests of QEMU, folders of sockets, libvirt: for all ' +
          'its guests; default: the folder in which savkit opens control sockets, which is XDG_RUNTIME_DIR or else ' +
          'that of temporary files',
      ),
    )
    .option('records', RECORDS_FOLDER)
    .option('interval', {
      type: 'number',
      requiresArg: true,
      describe: 'Seconds between two looks; default: 1 on a terminal, a single look elsewhere',
    })
    .option('ndjson', { type: 'boolean', default: false, describe: 'Print each look as JSON, one a line' })
    .example('$0 top', 'Your machines, and their migrations, until Ctrl-C')
    .example('$0 top /run/vms', 'Machines whose sockets are in this folder')
    .example('$0 top /run/vms | cat', 'One look, as plain text')
    .example('$0 top /run/vms --ndjson --interval 5', 'A look every five seconds, for programs')
    .epilogue('Exit codes: 0 looked, 4 a machine that was named does not answer, 130 ended by a signal.');
type Options = OptionsOf<typeof builder>;

export const topCommand = command(builder, async (options) => {
  process.exitCode = await runCommand('top', [options.machines.join(' ') || 'machines'], options, (job) =>
    top(options, job),
  );
});

/** Shows the machines again and again until a signal; only once without terminal and --interval. */
async function top(options: Options, { signal }: Job): Promise<Outcome> {
  const { interval, machines, json, ndjson = false } = options;
  if (interval !== undefined && !(interval >= LEAST_SECONDS))
    throw new UsageError('bad-value', `--interval ${interval}: expected ${LEAST_SECONDS} or more`);
  const words = machines.length > 0 ? machines : defaultSocketFolders().slice(0, 1);
  const findings: ReturnType<typeof findingOf>[] = [];
  const look = () => {
    findings.length = 0;
    return lookOnce(words, recordFolder(options.records), signal, (what, error) =>
      findings.push(findingOf(error.in(what))),
    );
  };
  const isDrawn = terminalColumns() !== undefined && !isForPrograms(options);
  if ((interval === undefined && !isDrawn) || json) return outcomeOf(await look(), findings);
  let rows: TopRow[] = [];
  try {
    for (;;) {
      rows = await look();
      if (ndjson) await showJson({ event: 'look', time: systemDate().toISOString(), rows }, { isEvent: true });
      else if (isDrawn) await redrawScreen(lines([timeLine(), textOf(rows, findings)]));
      else await show(textOf(rows, findings));
      await sleep((interval ?? DEFAULT_SECONDS) * 1000, { signal });
    }
  } catch (error) {
    // A signal ends the watching, which is no failure.
    if (!signal.aborted) throw error;
    return { exitCode: ExitCode.OK, result: { rows }, text: NO_TEXT };
  }
}

function timeLine(): TerminalText {
  return line`savkit top, ${timeText(systemDate().toISOString())} UTC; Ctrl-C ends it`;
}

function textOf(rows: readonly TopRow[], findings: readonly { message: string }[]): TerminalText {
  return lines([topText(rows), ...findings.map(({ message }) => line`${message}`)]);
}

function outcomeOf(rows: readonly TopRow[], findings: ReturnType<typeof findingOf>[]): Outcome {
  const exitCode = findings.length > 0 ? ExitCode.ENVIRONMENT : ExitCode.OK;
  return { exitCode, findings, result: { rows }, text: textOf(rows, findings) };
}
