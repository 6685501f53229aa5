import { basename } from 'node:path';
import type { Argv } from 'yargs';
import { UsageError } from '../../../formats/errors.ts';
import type { ByteSource } from '../../../formats/files/source.ts';
import { type CheckReport, check } from '../../../src/saved-state/check/check.ts';
import { parseRelease, type ReleaseNumbers } from '../../../src/saved-state/check/unit-versions.ts';
import { inspect } from '../../../src/saved-state/describe/inspect.ts';
import { familyOf } from '../../../src/saved-state/families/read-state.ts';
import { type MachineFacts, machineOf } from '../../../src/saved-state/machine-facts/machine-facts.ts';
import { FAMILIES, type StateFamily } from '../../../src/saved-state/reading/families.ts';
import { HOST_CPUID_OPTION, readHost } from '../../io/host-cpuid.ts';
import { withInput } from '../../io/input.ts';
import { fromOtherFile } from '../../io/other-files.ts';
import { withOtherState } from '../../io/other-state.ts';
import { fileCommand } from '../../many/command-of.ts';
import type { FileCommand, FileOptionsOf } from '../../many/file-command.ts';
import { withManyFiles } from '../../many/options.ts';
import { expectOptionsOf } from '../../parsing/family-options.ts';
import { filesOf } from '../../parsing/shared-options.ts';
import { ExitCode } from '../../process/exit-codes.ts';
import { type Job, type Outcome, runCommand, withCommonOptions } from '../../process/run-command.ts';
import { bad, good } from '../../terminal/styles.ts';
import { indent, joined, line, lines, NO_TEXT, type Piece, type TerminalText } from '../../terminal/terminal-text.ts';
import { findingText } from '../../text/finding-text.ts';
import { openText } from '../../text/open-text.ts';
import { QEMU_CHECK_DEFAULTS, runQemuCheck } from '../qemu/check-qemu.ts';
import { machineFor, runCheckMachine } from './check-machine.ts';

const builder = (argv: Argv) =>
  withManyFiles(withCommonOptions(argv))
    .positional(
      'files',
      filesOf('Saved states, or with -r folders; - for stdin. Default: all that the machine and its snapshots name'),
    )
    .option('machine', {
      type: 'string',
      requiresArg: true,
      describe:
        'Settings file of the machine (NAME.vbox), or its folder; the state of a snapshot is compared with ' +
        'that snapshot. For states of QEMU: XML of the domain (virsh dumpxml)',
    })
    .option('against', {
      type: 'string',
      requiresArg: true,
      conflicts: 'machine',
      describe: 'Another state: the machine that it was saved from',
    })
    .option('virtualbox', {
      type: 'string',
      requiresArg: true,
      describe: 'Release, such as 7.2 or 6.1.50. Default: that of the settings file',
    })
    .option('host-cpuid', HOST_CPUID_OPTION)
    .option('qemu-args', {
      type: 'string',
      requiresArg: true,
      conflicts: ['machine', 'against'],
      describe: "File with QEMU's command line, as for a shell or from /proc/PID/cmdline: the machine that it starts",
    })
    .option('qemu', {
      type: 'string',
      requiresArg: true,
      describe: 'Version of the target QEMU, such as 10.0',
    })
    .option('query-machines', {
      type: 'string',
      requiresArg: true,
      describe: "File with QEMU's answer to query-machines: its machine types",
    })
    .option('cpu-model', {
      type: 'string',
      requiresArg: true,
      describe: "File with QEMU's answer to query-cpu-model-expansion: the CPU that the guest will have",
    })
    .example('$0 check machine.sav --machine "VirtualBox VMs/box/box.vbox"', 'Will it load there?')
    .example('$0 check --machine "VirtualBox VMs/box"', 'Its snapshots, and the state of each')
    .example('$0 check old.sav --virtualbox 7.2', 'Can this release read it?')
    .example('$0 check a.sav --against b.sav', 'Are both of the same machine?')
    .example(
      '$0 check a.sav --host-cpuid b.sav',
      "Does the CPU of the host of b.sav suffice? A host's /proc/cpuinfo tells, too",
    )
    .example('$0 check guest.state --qemu-args qemu.args --qemu 10.0', 'Will the QEMU of this command line load it?')
    .epilogue(
      'Exit codes: 0 nothing keeps it from loading, 3 the same, but not all could be judged, 5 it does not fit, ' +
        '1 damaged.',
    );
type Options = FileOptionsOf<typeof builder>;

const perState = fileCommand({
  name: 'check',
  usage: '[files..]',
  builder,
  perFile: (job, options) =>
    withInput(job.file, async (whole) => {
      const { family, source } = await familyOf(whole);
      expectOptionsOf(family, options, OWN_OPTIONS);
      return CHECKERS[family.name](source, job, options);
    }),
});

/** Options that only one family has. */
const OWN_OPTIONS = { virtualbox: { virtualbox: undefined, hostCpuid: undefined }, qemu: QEMU_CHECK_DEFAULTS };

const CHECKERS: Record<StateFamily['name'], (source: ByteSource, job: Job, options: Options) => Promise<Outcome>> = {
  virtualbox: runCheck,
  qemu: runQemuCheck,
};

export const checkCommand: FileCommand<Options> = {
  ...perState,
  handler: async (options) => {
    const { files, filesFrom, machine, virtualbox, hostCpuid } = options;
    if (files.length === 0 && filesFrom === undefined && machine === undefined)
      throw new UsageError('no-state', 'Cannot check: name a state, or a machine with --machine');
    if (files.length > 0 || filesFrom !== undefined || machine === undefined) await perState.handler(options);
    else
      process.exitCode = await runCommand('check', [machine], options, (job) =>
        runCheckMachine(job, { release: releaseOption(virtualbox), hostFile: hostCpuid }),
      );
  },
};

async function runCheck(source: ByteSource, job: Job, options: Options): Promise<Outcome> {
  const { signal, file } = job;
  const release = releaseOption(options.virtualbox);
  const machine = await targetOf(file, options, signal);
  const { hostCpuid } = options;
  const host = hostCpuid === undefined ? undefined : await fromOtherFile(() => readHost(hostCpuid, signal));
  if (!release && !machine && !host)
    throw new UsageError(
      'no-target',
      'Cannot check: name a target with --machine, --against, --virtualbox or --host-cpuid',
    );
  const report = await check(source, {
    signal: job.signal,
    onProgress: (done) => job.progress.update(done, source.size),
    machine,
    release,
    host,
  });
  const { findings, damaged: _, ...result } = report;
  const exitCode = exitCodeFor(report);
  const text = options.quiet && exitCode === ExitCode.OK ? NO_TEXT : reportText(file, report);
  return { exitCode, findings, result, text };
}

function exitCodeFor({ loads, damaged, notJudged }: CheckReport): ExitCode {
  if (loads) return notJudged.length > 0 ? ExitCode.PARTLY : ExitCode.OK;
  return damaged ? ExitCode.BAD_FILE : ExitCode.UNSUPPORTED;
}

export function releaseOption(text: string | undefined): ReleaseNumbers | undefined {
  if (text === undefined) return undefined;
  const release = parseRelease(text);
  if (!release) throw new UsageError('bad-release', `Cannot read release "${text}": expected e.g. 7.2 or 7.2.22`);
  return release;
}

async function targetOf(
  state: string,
  { machine, against }: Options,
  signal: AbortSignal,
): Promise<MachineFacts | undefined> {
  if (machine !== undefined) return fromOtherFile(() => machineFor(machine, state));
  if (against === undefined) return undefined;
  return withOtherState(against, FAMILIES.virtualbox, signal, async (source) =>
    machineOf((await inspect(source, { signal })).state, basename(against)),
  );
}

function reportText(
  file: string,
  { loads, forecast, findings, against, notJudged, assumed }: CheckReport,
): TerminalText {
  const where = joined(against, ', ');
  const answer = forecast
    ? `; VirtualBox would answer ${forecast.vboxCode}${forecast.unit === undefined ? '' : ` at unit ${forecast.unit}`}`
    : '';
  const found = [
    line`${file}: ${verdictOf(loads, notJudged)} (${where})${answer}`,
    ...findings.map((finding) => indent(findingText(finding))),
  ];
  found.push(...openText({ notJudged, assumed: loads ? assumed : [] }));
  return lines(found);
}

function verdictOf(loads: boolean, notJudged: readonly string[]): Piece {
  if (!loads) return bad('will not load');
  return notJudged.length === 0
    ? good('nothing keeps it from loading')
    : 'nothing that was judged keeps it from loading';
}
