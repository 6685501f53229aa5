import { basename } from 'node:path';
import type { Argv } from 'yargs';
import { UsageError } from '../../../formats/errors.ts';
import { type CheckReport, check } from '../../../src/saved-state/check/check.ts';
import { machineOf, type TargetMachine } from '../../../src/saved-state/check/target-machine.ts';
import { parseRelease, type ReleaseNumbers } from '../../../src/saved-state/check/unit-versions.ts';
import { inspect } from '../../../src/saved-state/describe/inspect.ts';
import { HOST_CPUID_OPTION, readHost } from '../../io/host-cpuid.ts';
import { withInput } from '../../io/input.ts';
import { fileCommand } from '../../many/command-of.ts';
import type { FileCommand, FileOptions } from '../../many/file-command.ts';
import { withManyFiles } from '../../many/options.ts';
import { ExitCode } from '../../process/exit-codes.ts';
import { type Job, type Outcome, runCommand, withCommonOptions } from '../../process/run-command.ts';
import { bad, good } from '../../terminal/styles.ts';
import { indent, joined, line, lines, NO_TEXT, type Piece, type TerminalText } from '../../terminal/terminal-text.ts';
import { findingText } from '../../text/finding-text.ts';
import { openText } from '../../text/open-text.ts';
import { machineFor, runCheckMachine } from './check-machine.ts';

interface Options extends FileOptions {
  machine?: string;
  against?: string;
  virtualbox?: string;
  hostCpuid?: string;
}

const perState = fileCommand<Options>({
  name: 'check',
  usage: '[files..]',
  builder: (argv) =>
    withManyFiles(withCommonOptions(argv))
      .positional('files', {
        type: 'string',
        array: true,
        default: [],
        describe:
          'Saved states, or with -r folders; - for stdin. Left out: all that the machine and its snapshots name',
      })
      .option('machine', {
        type: 'string',
        requiresArg: true,
        describe:
          'Settings file of the machine (NAME.vbox), or its folder; the state of a snapshot is compared with that snapshot',
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
        describe: 'Release, such as 7.2 or 6.1.50. Default: the one that wrote the settings file',
      })
      .option('host-cpuid', HOST_CPUID_OPTION)
      .example('$0 check machine.sav --machine "VirtualBox VMs/box/box.vbox"', 'Will it load there?')
      .example('$0 check --machine "VirtualBox VMs/box"', 'Its snapshots, and what became of their states')
      .example('$0 check old.sav --virtualbox 7.2', 'Can this release read it?')
      .example('$0 check a.sav --against b.sav', 'Are both of the same machine?')
      .example(
        '$0 check a.sav --host-cpuid b.sav',
        "Does the CPU do that saved b.sav? A host's /proc/cpuinfo tells, too",
      )
      .epilogue(
        'Exit codes: 0 nothing keeps it from loading, 3 nothing that was judged does, but not all could be, 5 it does not fit, 1 damaged.',
      ) as unknown as Argv<Options>,
  perFile: runCheck,
});

export const checkCommand: FileCommand<Options> = {
  ...perState,
  handler: async (options) => {
    const { files, filesFrom, machine, virtualbox, hostCpuid } = options;
    if (files.length === 0 && filesFrom === undefined && machine === undefined)
      throw new UsageError('no-state', 'Cannot check: name a state, or a machine with --machine');
    if (files.length > 0 || filesFrom !== undefined || machine === undefined) await perState.handler(options as never);
    else
      process.exitCode = await runCommand('check', [machine], options, (job) =>
        runCheckMachine(job, releaseOption(virtualbox), hostCpuid),
      );
  },
};

async function runCheck(job: Job, options: Options): Promise<Outcome> {
  const { signal, progress, file } = job;
  const release = releaseOption(options.virtualbox);
  const machine = await targetOf(file, options, signal);
  const host = options.hostCpuid === undefined ? undefined : await readHost(options.hostCpuid, signal);
  if (!release && !machine && !host)
    throw new UsageError(
      'no-target',
      'Cannot check: name a target with --machine, --against, --virtualbox or --host-cpuid',
    );
  return withInput(file, async (source) => {
    const report = await check(source, {
      signal,
      onProgress: (done) => progress.update(done, source.size),
      ...(machine ? { machine } : {}),
      ...(release ? { release } : {}),
      ...(host ? { host } : {}),
    });
    const { findings, damaged: _, ...result } = report;
    const exitCode = exitCodeFor(report);
    return {
      exitCode,
      findings,
      result,
      text: options.quiet && exitCode === ExitCode.OK ? NO_TEXT : reportText(file, report),
    };
  });
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
): Promise<TargetMachine | undefined> {
  if (machine !== undefined) return machineFor(machine, state);
  if (against === undefined) return undefined;
  return withInput(against, async (source) => machineOf((await inspect(source, { signal })).state, basename(against)));
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
