import { statSync } from 'node:fs';
import { countText } from '../../formats/amounts.ts';
import { EnvironmentError, UsageError } from '../../formats/errors.ts';
import { MIB, PAGE_SIZE } from '../../formats/sizes.ts';
import { parseNumber } from '../../formats/values/number-text.ts';
import { askedCommand } from '../../migrations/guests/command-line/asked-command.ts';
import { checkMemoryIsFree } from '../../migrations/guests/memory-in-use.ts';
import { QemuHost, type QemuHostOptions } from '../../migrations/guests/qemu-host.ts';
import type { QemuTarget } from '../../migrations/guests/qemu-target.ts';
import { type CommandLine, parseCommand, wordsOf } from '../../src/saved-state/qemu-check/command-words.ts';
import { readSmallText } from '../io/input.ts';
import { type ReceiveMachineOptions, receiveOne } from '../migration/receive-machine.ts';
import { typedName } from '../parsing/option-name.ts';
import { ExitCode } from '../process/exit-codes.ts';
import type { Job, Outcome } from '../process/run-command.ts';
import { sizeText } from '../terminal/size-text.ts';
import { good } from '../terminal/styles.ts';
import { indent, line, lines, NO_TEXT } from '../terminal/terminal-text.ts';
import { settingsLeft } from './migrate-guest.ts';
import { watchOver } from './watchdog.ts';

const ARGUMENTS_LIMIT = MIB;

export interface ReceiveGuestOptions extends ReceiveMachineOptions {
  /** File with the command line of the QEMU to be started; else the source is asked for it. */
  qemuArgs?: string;
  /** Folder below which the files of guests lie. */
  qemu?: string;
  /** Beginning of the command line, for this host. */
  qemuProgram?: string;
}

/** Waits for a guest of QEMU, and ends when it runs here; its QEMU goes on alone. */
export async function receiveGuest(options: ReceiveGuestOptions, { signal }: Job): Promise<Outcome> {
  for (const name of ['output', 'safe', 'seed', 'control', 'keepIn', 'runFor'] as const)
    if (options[name] !== undefined)
      throw new UsageError('usage', `Cannot use --${typedName(name)} for a guest of QEMU`);
  const command = await commandFor(options);
  const { maxMemory } = options;
  return receiveOne(options, signal, {
    watch: (path) => watchOver(path),
    hostFor: (onMade, warn) =>
      new QemuHost({
        command,
        maxBytes: maxMemory === undefined ? undefined : parseNumber(maxMemory),
        onStarted: (target) => onMade(guestOf(target)),
        onSettingsLeft: ({ code, message }) => warn(code, settingsLeft(message)),
      }),
    keep: async (target, { wasPaused }) => outcomeOfGuest(target, wasPaused, options.quiet),
  });
}

async function commandFor(options: ReceiveGuestOptions): Promise<QemuHostOptions['command']> {
  const { qemuArgs, qemu: folder = '.', qemuProgram = '' } = options;
  if (qemuArgs !== undefined) {
    const command = await readCommand(qemuArgs);
    // Free memory is checked again for each guest.
    await checkMemoryIsFree(command);
    return command;
  }
  try {
    statSync(folder);
  } catch (error) {
    throw EnvironmentError.from(error, `open ${folder}`);
  }
  const own = qemuProgram === '' ? { program: '', options: [] } : parseCommand(wordsOf(qemuProgram));
  return (outline) => askedCommand(outline, own, folder);
}

/** The command line of a QEMU, out of a file. @throws EnvironmentError, UsageError */
export async function readCommand(path: string): Promise<CommandLine> {
  return parseCommand(wordsOf(await readSmallText(path, ARGUMENTS_LIMIT)));
}

/** A guest's process, as records name it. */
export function guestOf({ process: { pid, qmpPath: qmp }, ramPaths: ram, settings }: QemuTarget) {
  return { pid, qmp, ram, settings };
}

/** Releases a guest that runs here, and reports it. */
export function outcomeOfGuest(target: QemuTarget, isPaused: boolean, quiet: boolean): Outcome {
  const { description, process } = target;
  const { pid, qmp, ram } = guestOf(target);
  const { name, regions, cpus } = description;
  const pages = regions.reduce((sum, region) => sum + region.pages, 0);
  target.close();
  const result = {
    action: 'received-guest',
    machine: name,
    pages,
    cpus,
    isPaused,
    ...{ pid, qmp, ram },
    version: target.qmp.version,
    log: process.logPath,
  };
  const guest = line`guest ${name}, ${sizeText(pages * PAGE_SIZE)}, ${countText(cpus, 'CPU')}`;
  const state = isPaused ? 'paused as it was at the source' : 'it runs';
  const text = lines([
    line`${good('received')}: ${guest}; ${state} in QEMU ${target.qmp.version}, process ${process.pid}`,
    indent(line`QMP socket ${process.qmpPath}, messages ${process.logPath}`),
  ]);
  return { exitCode: ExitCode.OK, result, text: quiet ? NO_TEXT : text };
}
