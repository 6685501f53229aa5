import { UsageError } from '../../../formats/errors.ts';
import type { ByteSource } from '../../../formats/files/source.ts';
import { MIB } from '../../../formats/sizes.ts';
import { readQemuState } from '../../../src/saved-state/qemu/read-qemu-state.ts';
import {
  type CheckQemuOptions,
  checkQemu,
  type QemuCheckReport,
} from '../../../src/saved-state/qemu-check/check-qemu.ts';
import { parseCommand, wordsOf } from '../../../src/saved-state/qemu-check/command-words.ts';
import { readCpuModel, readMachineTypes } from '../../../src/saved-state/qemu-check/qemu-facts.ts';
import { settingsOfCommand } from '../../../src/saved-state/qemu-check/settings-of-command.ts';
import { settingsOfDomain } from '../../../src/saved-state/qemu-check/settings-of-domain.ts';
import { FAMILIES } from '../../../src/saved-state/reading/families.ts';
import { readSmallText } from '../../io/input.ts';
import { fromOtherFile } from '../../io/other-files.ts';
import { withOtherState } from '../../io/other-state.ts';
import { ExitCode } from '../../process/exit-codes.ts';
import type { Job, Outcome } from '../../process/run-command.ts';
import { bad, good } from '../../terminal/styles.ts';
import { indent, joined, line, lines, NO_TEXT, type Piece, type TerminalText } from '../../terminal/terminal-text.ts';
import { findingText } from '../../text/finding-text.ts';
import { openText } from '../../text/open-text.ts';

/** Options of `check` for states of QEMU. */
export interface QemuCheckCliOptions {
  machine?: string;
  against?: string;
  qemu?: string;
  qemuArgs?: string;
  queryMachines?: string;
  cpuModel?: string;
  quiet: boolean;
}

/** Defaults of options for states of QEMU. */
export const QEMU_CHECK_DEFAULTS = {
  qemu: undefined,
  qemuArgs: undefined,
  queryMachines: undefined,
  cpuModel: undefined,
};

/** Limit for settings of a domain, command lines (some KiB), and answers to query-machines (some 100 KiB). */
const LIMIT = 4 * MIB;

export async function runQemuCheck(source: ByteSource, job: Job, options: QemuCheckCliOptions): Promise<Outcome> {
  const target = await fromOtherFile(() => targetOf(options, job.signal));
  const release = releaseOf(options.qemu);
  const { queryMachines, cpuModel } = options;
  if (Object.keys(target).length === 0 && queryMachines === undefined && cpuModel === undefined)
    throw new UsageError(
      'no-target',
      'Cannot check: name a target with --qemu-args, --machine, --against, --query-machines or --cpu-model',
    );
  const report = await checkQemu(source, {
    signal: job.signal,
    onProgress: (done) => job.progress.update(done, source.size),
    ...target,
    release,
    machineTypes: queryMachines === undefined ? undefined : await readOther(queryMachines, readMachineTypes),
    cpu: cpuModel === undefined ? undefined : await readOther(cpuModel, readCpuModel),
  });
  const { findings, damaged: _, ...result } = report;
  const exitCode = exitCodeFor(report);
  const text = options.quiet && exitCode === ExitCode.OK ? NO_TEXT : reportText(job.file, report);
  return { exitCode, findings, result, text };
}

function readOther<T>(path: string, read: (text: string, path: string) => T): Promise<T> {
  return fromOtherFile(async () => read(await textOf(path), path));
}

function textOf(path: string): Promise<string> {
  return readSmallText(path, LIMIT);
}

type Target = Pick<CheckQemuOptions, 'settings' | 'other'>;

async function targetOf({ machine, against, qemuArgs }: QemuCheckCliOptions, signal: AbortSignal): Promise<Target> {
  if (qemuArgs !== undefined)
    return { settings: settingsOfCommand(parseCommand(wordsOf(await textOf(qemuArgs))), qemuArgs) };
  if (machine !== undefined) return { settings: settingsOfDomain(await textOf(machine), machine) };
  if (against === undefined) return {};
  return withOtherState(against, FAMILIES.qemu, signal, async (source) => ({
    other: { name: against, state: await readQemuState(source, { signal }) },
  }));
}

function releaseOf(text: string | undefined): number[] | undefined {
  if (text === undefined) return undefined;
  if (/^\d+\.\d+(\.\d+)*$/.test(text)) return text.split('.').map(Number);
  throw new UsageError('bad-release', `Cannot read release "${text}": expected e.g. 7.2 or 10.0.2`);
}

function exitCodeFor({ loads, damaged, notJudged }: QemuCheckReport): ExitCode {
  if (damaged) return ExitCode.BAD_FILE;
  if (!loads) return ExitCode.UNSUPPORTED;
  return notJudged.length > 0 ? ExitCode.PARTLY : ExitCode.OK;
}

function reportText(file: string, report: QemuCheckReport): TerminalText {
  const { loads, forecast, findings, against, notJudged, assumed } = report;
  const says = forecast?.qemuSays === undefined ? '' : `; QEMU would say: ${forecast.qemuSays}`;
  return lines([
    line`${file}: ${verdictOf(report)} (${joined(against, ', ')})${says}`,
    ...findings.map((finding) => indent(findingText(finding))),
    ...openText({ notJudged: loads ? notJudged : [], assumed: loads ? assumed : [] }),
  ]);
}

function verdictOf({ loads, damaged, notJudged }: QemuCheckReport): Piece {
  if (!loads) return bad('will not load');
  if (damaged) return bad('is damaged, and QEMU would load it');
  return notJudged.length === 0
    ? good('nothing keeps it from loading')
    : 'nothing that was judged keeps it from loading';
}
