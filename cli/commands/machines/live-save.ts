import { resolve } from 'node:path';
import type { Argv } from 'yargs';
import { countText } from '../../../formats/amounts.ts';
import type { LiveSaveReport, PassReport } from '../../../src/live-save/live-save.ts';
import { DEFAULT_MAX_DOWNTIME_MS } from '../../../src/live-save/vote.ts';
import { askMachine } from '../../control/control-client.ts';
import type { EventOf } from '../../control/replies.ts';
import { isGuest } from '../../guests/migrate-guest.ts';
import { saveGuest } from '../../guests/save-guest.ts';
import { finishing } from '../../io/stop.ts';
import { command, type OptionsOf } from '../../parsing/options-of.ts';
import { FORCE, NDJSON } from '../../parsing/shared-options.ts';
import { ExitCode } from '../../process/exit-codes.ts';
import { type Job, type Outcome, runCommand, withCommonOptions } from '../../process/run-command.ts';
import { sizeText } from '../../terminal/size-text.ts';
import { table } from '../../terminal/table.ts';
import { indent, line, lines, NO_TEXT, type TerminalText } from '../../terminal/terminal-text.ts';
import { LiveReport } from '../../text/live-report.ts';

/** Maximum number of passes shown to people; longer saves show the first and last passes. */
const SHOWN_PASSES = 24;

const builder = (argv: Argv) =>
  withCommonOptions(argv)
    .positional('machine', {
      type: 'string',
      demandOption: true,
      describe:
        'Control socket of the machine, as `savkit run` opens it; or qmp:PATH, a QMP socket of a guest of ' +
        'QEMU; or libvirt:DOMAIN',
    })
    .positional('output', { type: 'string', demandOption: true, describe: 'File to write' })
    .option('max-downtime', {
      type: 'number',
      requiresArg: true,
      default: DEFAULT_MAX_DOWNTIME_MS,
      describe: 'Milliseconds for which the machine should stand still at most; a goal, no promise',
    })
    .option('stay', { type: 'boolean', default: false, describe: 'Leave the machine suspended' })
    .option('force', FORCE)
    .option('ndjson', NDJSON)
    .example('$0 live-save vm.sock vm.sav', 'The machine runs on')
    .example('$0 convert vm.sav plain.sav --flatten', 'Make a plain state of the live one')
    .example('$0 live-save qmp:/run/vm.qmp vm.state', 'A guest of QEMU, which runs on; QEMU loads the file')
    .epilogue('Ctrl-C cancels: the machine runs on, and no file is left.');
type Options = OptionsOf<typeof builder>;

export const liveSaveCommand = command(builder, async (options) => {
  process.exitCode = await runCommand('live-save', [options.output], options, (job) =>
    finishing(isGuest(options.machine) ? saveGuest(options, job.signal) : saveLive(options, job)),
  );
});

async function saveLive(
  { machine, output, maxDowntime, stay, force, ...common }: Options,
  { signal }: Job,
): Promise<Outcome> {
  const report = new LiveReport(common);
  let percent = 0;
  const onEvent = ({ event, ...data }: EventOf<'live-save'>) => {
    if (!('percent' in data)) return report.note(event, NO_TEXT, data);
    percent = data.percent;
    report.update(
      'progress',
      () => line`live-save ${output} ${percent.toFixed(1)} %`,
      () => ({ percent }),
    );
  };
  try {
    const request = { command: 'live-save', path: resolve(output), force, maxDowntimeMs: maxDowntime, stay } as const;
    const result = await askMachine(machine, request, onEvent, signal);
    return { exitCode: ExitCode.OK, result, text: common.quiet ? NO_TEXT : line`${output}: ${reportText(result)}` };
  } finally {
    report.stop();
  }
}

function reportText({ passes, written, totalMs, downtimeMs, wasSuspended }: LiveSaveReport): TerminalText {
  const stood = wasSuspended
    ? 'the machine was suspended meanwhile'
    : `the machine stood still for ${downtimeMs.toFixed(1)} ms`;
  const first =
    `saved live in ${(totalMs / 1000).toFixed(2)} s, ${sizeText(written)}, ` +
    `${countText(passes.length - 1, 'pass', 'passes')} and the final one; ${stood}`;
  const rows = shown(passes).map((each) =>
    each ? [String(each.pass), each.pages, each.dirtyPages, sizeText(each.written), each.ms.toFixed(1)] : ['…'],
  );
  return lines([first, indent(table(['pass', 'pages', 'dirty after', 'written', 'ms'], rows))]);
}

function shown(passes: readonly PassReport[]): readonly (PassReport | undefined)[] {
  if (passes.length <= SHOWN_PASSES) return passes;
  return [...passes.slice(0, SHOWN_PASSES / 2), undefined, ...passes.slice(-SHOWN_PASSES / 2)];
}
