import type { Argv, CommandModule } from 'yargs';
import { countText } from '../../../formats/amounts.ts';
import { UsageError } from '../../../formats/errors.ts';
import type { ByteSource } from '../../../formats/files/source.ts';
import { type AdaptOptions, type AdaptReport, adapt, planReport } from '../../../src/saved-state/adapt/adapt.ts';
import { CLASSES_TO_ACCEPT } from '../../../src/saved-state/adapt/change.ts';
import { withSource } from '../../io/input.ts';
import { withOutput } from '../../io/output.ts';
import { ExitCode } from '../../process/exit-codes.ts';
import {
  type CommonOptions,
  type Job,
  type Outcome,
  runCommand,
  stepsOf,
  withCommonOptions,
} from '../../process/run-command.ts';
import { bad, good } from '../../terminal/styles.ts';
import { table } from '../../terminal/table.ts';
import { indent, line, lines, NO_TEXT, type TerminalText } from '../../terminal/terminal-text.ts';

interface Options extends CommonOptions {
  state: string;
  donor: string;
  output?: string;
  accept?: string;
  dryRun: boolean;
  force: boolean;
}

export const adaptCommand: CommandModule<object, Options> = {
  builder: (argv) =>
    withCommonOptions(argv)
      .positional('state', { type: 'string', demandOption: true, describe: 'Saved state that is refused; - for stdin' })
      .option('donor', {
        type: 'string',
        requiresArg: true,
        demandOption: true,
        describe: 'State of the machine that is to take it, saved right after power-on',
      })
      .option('output', { type: 'string', alias: 'o', requiresArg: true, describe: 'File to write; - for stdout' })
      .option('accept', {
        type: 'string',
        requiresArg: true,
        describe: 'Classes of change to take, of risk (the guest may crash) and loss (memory or data goes): risk,loss',
      })
      .option('dry-run', { type: 'boolean', default: false, describe: 'Say what would be changed, write nothing' })
      .option('force', { type: 'boolean', alias: 'f', default: false, describe: 'Replace an existing file' })
      .example('$0 adapt old.sav --donor machine.sav --dry-run', 'What would change, and what the guest would notice')
      .example('$0 adapt old.sav --donor machine.sav -o adapted.sav', 'Write it, with proof that nothing else changed')
      .epilogue(
        'Classes: kept, the guest sees no change; seen, hardware has gone or come; reset, a device forgot its state; risk, the guest may crash; loss, memory or data goes. The donor must be of the VirtualBox release that is to load the result.',
      ) as unknown as Argv<Options>,
  handler: async (options) => {
    process.exitCode = await runCommand('adapt', [options.state], options, (job) =>
      withSource(job, (source) =>
        withSource({ file: options.donor }, (donor) => runAdapt(source, donor, job, options)),
      ),
    );
  },
};

async function runAdapt(source: ByteSource, donor: ByteSource, job: Job, options: Options): Promise<Outcome> {
  const { file } = job;
  const run: AdaptOptions = {
    accept: acceptedOf(options.accept),
    ...stepsOf(job, source),
  };
  const { output, force } = options;
  if (options.dryRun) {
    const report = await planReport(source, donor, run);
    const text = lines([planText(file, report), 'Nothing was written.']);
    return { exitCode: report.toAccept.length > 0 ? ExitCode.PARTLY : ExitCode.OK, result: report, text };
  }
  if (output === undefined) throw new UsageError('usage', 'Cannot adapt: expected --output FILE or --dry-run');
  return withOutput(output, { force, inPlaceOf: source.name }, async (sink) => {
    const report = await adapt(source, donor, sink, run);
    const keep = report.proof?.holds === true;
    const text = output === '-' || options.quiet ? NO_TEXT : lines([planText(file, report), proofText(output, report)]);
    return { keep, value: { exitCode: keep ? ExitCode.OK : ExitCode.UNSUPPORTED, result: report, text } };
  });
}

/** @throws UsageError */
function acceptedOf(text: string | undefined): (typeof CLASSES_TO_ACCEPT)[number][] {
  return (text ?? '').split(',').flatMap((word) => {
    const found = CLASSES_TO_ACCEPT.find((known) => known === word.trim());
    if (!found && word.trim() !== '')
      throw new UsageError('usage', `Cannot --accept "${word}": expected ${CLASSES_TO_ACCEPT.join(' or ')}`);
    return found ?? [];
  });
}

function planText(file: string, { changes, toAccept }: AdaptReport): TerminalText {
  if (changes.length === 0) return line`${file}: nothing has to be changed`;
  const rows = changes.map((change) => [change.class, change.unit ?? '', change.message]);
  const text = [line`${file}: ${countText(changes.length, 'change')}`, table(['class', 'unit', 'change'], rows)];
  if (toAccept.length > 0) text.push(line`${bad('not accepted')}: --accept ${toAccept.join(',')} takes them`);
  return lines(text);
}

function proofText(output: string, { proof }: AdaptReport): TerminalText {
  if (!proof) return NO_TEXT;
  if (proof.holds)
    return line`${output}: ${good('proved')}: ${countText(proof.ranges, 'range')} of memory page by page and ${countText(proof.unitsAsBefore, 'unit')} byte for byte as before, ${countText(proof.unitsChanged, 'unit')} changed as told; nothing that savkit judges keeps it from loading`;
  return lines([
    bad('NOT PROVED, the output was removed'),
    ...proof.differences.map((what) => indent(line`${what} differs, though nothing told so`)),
    ...(proof.refusal === undefined ? [] : [indent(line`VirtualBox would answer ${proof.refusal}`)]),
  ]);
}
