import type { Argv } from 'yargs';
import { countText } from '../../../formats/amounts.ts';
import { UsageError } from '../../../formats/errors.ts';
import type { ByteSource } from '../../../formats/files/source.ts';
import { type AdaptOptions, type AdaptReport, adapt, planReport } from '../../../src/saved-state/adapt/adapt.ts';
import { CLASSES_TO_ACCEPT } from '../../../src/saved-state/adapt/change.ts';
import type { AdaptTarget } from '../../../src/saved-state/adapt/plan.ts';
import { parseRelease, type ReleaseNumbers } from '../../../src/saved-state/check/unit-versions.ts';
import { HOST_CPUID_OPTION, readHost } from '../../io/host-cpuid.ts';
import { withSource } from '../../io/input.ts';
import { withOutput } from '../../io/output.ts';
import { command, type OptionsOf } from '../../parsing/options-of.ts';
import { FORCE, OUTPUT } from '../../parsing/shared-options.ts';
import { noted, withLists } from '../../process/custody-log.ts';
import { ExitCode } from '../../process/exit-codes.ts';
import { type Job, type Outcome, runCommand, stepsOf, withCommonOptions } from '../../process/run-command.ts';
import { bad, good } from '../../terminal/styles.ts';
import { indent, line, lines, NO_TEXT, type TerminalText } from '../../terminal/terminal-text.ts';
import { openText } from '../../text/open-text.ts';
import { asItIs, readMachine } from './check-machine.ts';

const builder = (argv: Argv) =>
  withLists(withCommonOptions(argv))
    .positional('state', { type: 'string', demandOption: true, describe: 'Saved state that is refused; - for stdin' })
    .option('donor', {
      type: 'string',
      requiresArg: true,
      conflicts: ['machine', 'host-cpuid'],
      describe: 'State of the target machine, saved right after power-on; savkit donor makes one',
    })
    .option('machine', {
      type: 'string',
      requiresArg: true,
      describe: 'Settings file of the machine (NAME.vbox), or its folder, instead of a donor; enough for most causes',
    })
    .option('host-cpuid', { ...HOST_CPUID_OPTION, implies: 'machine' })
    .option('to', {
      type: 'string',
      requiresArg: true,
      describe:
        'Older VirtualBox that is to load the result, such as 7.1: units get the versions of that release. ' +
        'Experimental: tried with the loader of 7.2 alone',
    })
    .option('output', OUTPUT)
    .option('accept', {
      type: 'string',
      requiresArg: true,
      describe: 'Classes of change to accept: risk (the guest may crash), loss (memory or data is lost); as risk,loss',
    })
    .option('dry-run', { type: 'boolean', default: false, describe: 'Say what would be changed, write nothing' })
    .option('force', FORCE)
    .example('$0 adapt old.sav --donor machine.sav --dry-run', 'What would change, and what the guest would notice')
    .example('$0 adapt old.sav --machine "VirtualBox VMs/box" --dry-run', 'The same, without a donor')
    .example(
      '$0 adapt old.sav --donor machine.sav -o adapted.sav',
      'Write the result, with proof that nothing else changed',
    )
    .example('$0 adapt old.sav --to 7.1 --donor machine.sav -o older.sav', 'For an older release (experimental)')
    .epilogue(
      'Classes: kept, the guest sees no change; seen, hardware was added or removed; reset, a device forgot its ' +
        'state; risk, the guest may crash; loss, memory or data is lost. The donor must be of the VirtualBox ' +
        'release that is to load the result. Without a donor, --machine adapts what settings tell; for the rest ' +
        'it says that a donor is needed. Exit codes, which --dry-run foretells: 0 written and proved; 3 the same, ' +
        'but not all could be judged (with --dry-run also: classes are not accepted); 5 the state cannot be made ' +
        'to fit, or the proof failed, nothing written; 2 classes are not accepted, or the options do not fit ' +
        'together; 1 the state is damaged; 4 a file cannot be read or written.',
    );
type Options = OptionsOf<typeof builder>;

export const adaptCommand = command(builder, async (options) => {
  const output = options.dryRun ? undefined : options.output;
  process.exitCode = await runCommand('adapt', [options.state], options, (job) =>
    noted(job, options, { command: 'adapt', output, others: [options.donor] }, () =>
      withSource(job, (source) => withTarget(options, job, (target) => runAdapt(source, target, job, options))),
    ),
  );
});

async function withTarget<T>(
  { donor, machine, hostCpuid, to }: Options,
  { signal }: Job,
  use: (target: AdaptTarget) => Promise<T>,
): Promise<T> {
  if (donor !== undefined) return withSource({ file: donor }, (source) => use({ donor: source }));
  if (machine === undefined && to !== undefined) return use('unchanged');
  if (machine === undefined)
    throw new UsageError('usage', 'Cannot adapt: name the machine with --donor STATE or --machine NAME.vbox');
  const host = hostCpuid === undefined ? {} : { host: await readHost(hostCpuid, signal) };
  return use({ machine: asItIs((await readMachine(machine)).history), ...host });
}

async function runAdapt(source: ByteSource, target: AdaptTarget, job: Job, options: Options): Promise<Outcome> {
  const { file } = job;
  const run: AdaptOptions = {
    accept: acceptedOf(options.accept),
    release: releaseFrom(options.to),
    ...stepsOf(job, source),
  };
  const { output, force } = options;
  if (options.dryRun) {
    const report = await planReport(source, target, run);
    const text = lines([
      planText(file, report),
      ...foretoldText(report),
      ...experimentalText(report),
      'Nothing was written.',
    ]);
    return { exitCode: exitCodeOf(report), result: report, text };
  }
  if (output === undefined) throw new UsageError('usage', 'Cannot adapt: expected --output FILE or --dry-run');
  return withOutput(output, { force, inPlaceOf: source.name }, async (sink) => {
    const report = await adapt(source, target, sink, run);
    const keep = report.proof?.holds === true;
    const text =
      output === '-' || options.quiet
        ? NO_TEXT
        : lines([planText(file, report), proofText(output, report), ...experimentalText(report)]);
    return { keep, value: { exitCode: exitCodeOf(report), result: report, text } };
  });
}

/** @throws UsageError */
function releaseFrom(text: string | undefined): ReleaseNumbers | undefined {
  if (text === undefined) return undefined;
  const release = parseRelease(text);
  if (!release) throw new UsageError('usage', `Cannot adapt --to "${text}": expected a release such as 7.1 or 7.1.12`);
  return release;
}

/** Picks the exit code, which is the same for a dry run as for the real run. */
function exitCodeOf({ proof, foretold, toAccept }: AdaptReport): ExitCode {
  const { refusal, notJudged = [] } = proof ?? foretold ?? {};
  if (refusal !== undefined || proof?.holds === false) return ExitCode.UNSUPPORTED;
  return notJudged.length > 0 || toAccept.length > 0 ? ExitCode.PARTLY : ExitCode.OK;
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
  const text = [line`${file}: ${countText(changes.length, 'change')}`, ...changes.map(changeText)];
  if (toAccept.length > 0) text.push(line`${bad('not accepted')}: --accept ${toAccept.join(',')} takes them`);
  return lines(text);
}

/** Text about a change; a table would cut its sentences. */
function changeText({ class: kind, unit, message }: AdaptReport['changes'][number]): TerminalText {
  return indent(
    line`${kind}${' '.repeat(LONGEST_CLASS - kind.length)}  ${unit === undefined ? '' : `${unit}: `}${message}`,
  );
}
const LONGEST_CLASS = 5;

function experimentalText({ experimental }: AdaptReport): TerminalText[] {
  return experimental === undefined ? [] : [line`${bad('experimental')}: ${experimental}`];
}

function foretoldText({ foretold }: AdaptReport): TerminalText[] {
  if (!foretold) return [];
  const { refusal } = foretold;
  return refusal === undefined ? openText(foretold) : [bad(indent(line`VirtualBox would answer ${refusal}`))];
}

function proofText(output: string, { proof }: AdaptReport): TerminalText {
  if (!proof) return NO_TEXT;
  if (proof.holds) {
    const memory = line`${countText(proof.ranges, 'range')} of memory page by page`;
    const units = line`${countText(proof.unitsAsBefore, 'unit')} byte for byte as before`;
    const changed = line`${countText(proof.unitsChanged, 'unit')} changed as told`;
    const verdict = 'nothing that savkit judges keeps it from loading';
    return lines([
      line`${output}: ${good('proved')}: ${memory} and ${units}, ${changed}; ${verdict}`,
      ...openText(proof),
    ]);
  }
  return lines([
    bad('NOT PROVED, the output was removed'),
    ...proof.differences.map((what) => indent(line`${what} differs, and no change of the plan explains it`)),
    ...(proof.refusal === undefined ? [] : [indent(line`VirtualBox would answer ${proof.refusal}`)]),
  ]);
}
