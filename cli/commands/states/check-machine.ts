import { readdirSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import { EnvironmentError } from '../../../formats/errors.ts';
import {
  type CheckedMoment,
  checkHistory,
  type StateFate,
  settingsIn,
} from '../../../src/saved-state/check/check-machine.ts';
import type { ReleaseNumbers } from '../../../src/saved-state/check/unit-versions.ts';
import type { MachineFacts } from '../../../src/saved-state/machine-facts/machine-facts.ts';
import { SETTINGS_LIMIT } from '../../../src/saved-state/machine-facts/settings.ts';
import { type MachineHistory, momentOf, readHistory } from '../../../src/saved-state/machine-facts/snapshots.ts';
import { readHost } from '../../io/host-cpuid.ts';
import { readSmallText } from '../../io/input.ts';
import { ExitCode, gravest } from '../../process/exit-codes.ts';
import type { Job, Outcome } from '../../process/run-command.ts';
import { line, lines, type TerminalText } from '../../terminal/terminal-text.ts';

/** @param path a settings file, or the folder of a machine */
export async function readMachine(path: string): Promise<{ settings: string; history: MachineHistory }> {
  const settings = settingsFileOf(path);
  return { settings, history: readHistory(await readSmallText(settings, SETTINGS_LIMIT), basename(settings)) };
}

/** The machine as it was when a state was saved, if its settings know the state, else as it is now. */
export async function machineFor(path: string, state: string): Promise<MachineFacts> {
  const { history } = await readMachine(path);
  return momentOf(history, state)?.machine ?? asItIs(history);
}

/** The machine without its snapshots. */
export function asItIs({ moments }: MachineHistory): MachineFacts {
  return moments[moments.length - 1].machine;
}

/** @param path a settings file, or the folder of a machine */
export function settingsFileOf(path: string): string {
  return isFolder(path) ? settingsIn(path) : path;
}

/** Whether a path names a settings file, or a folder with some. */
export function isMachine(path: string): boolean {
  if (/\.vbox$/i.test(path)) return true;
  try {
    return readdirSync(path).some((name) => name.endsWith('.vbox'));
  } catch {
    // The path leads to neither; opening the path reports the error.
    return false;
  }
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch (error) {
    throw EnvironmentError.from(error, `open ${path}`);
  }
}

/** Exit codes by the fate of a state. */
const CODES: Readonly<Record<StateFate, ExitCode>> = {
  none: ExitCode.OK,
  fits: ExitCode.OK,
  'fits-so-far': ExitCode.PARTLY,
  orphaned: ExitCode.OK,
  missing: ExitCode.ENVIRONMENT,
  unreadable: ExitCode.ENVIRONMENT,
  damaged: ExitCode.BAD_FILE,
  refused: ExitCode.UNSUPPORTED,
};

/** Checks all states of a machine and its snapshots. */
export async function runCheckMachine(
  { file, signal, progress }: Job,
  { release, hostFile }: { release?: ReleaseNumbers | undefined; hostFile?: string | undefined },
): Promise<Outcome> {
  const { settings, history } = await readMachine(file);
  const moments = await checkHistory(settings, history, {
    signal,
    onProgress: (done) => progress.update(done, undefined),
    release,
    host: hostFile === undefined ? undefined : await readHost(hostFile, signal),
  });
  const exitCode = gravest(moments.map(({ fate }) => CODES[fate]));
  return { exitCode, result: { machine: history.name, settings, moments }, text: treeText(history, moments) };
}

const WORDS: Readonly<Record<StateFate, string>> = {
  none: 'no state, the machine was off',
  fits: 'state is whole and fits',
  'fits-so-far': 'state is whole; no obstacle was found, but not all could be judged',
  orphaned: 'belongs to no snapshot',
  missing: 'state is missing',
  unreadable: 'state cannot be read',
  damaged: 'state is damaged',
  refused: 'state will not load',
};

function treeText({ name }: MachineHistory, moments: readonly CheckedMoment[]): TerminalText {
  return lines([line`${name}`, ...moments.map(momentText)]);
}

function momentText({ snapshot, depth, fate, file, forecast, whole }: CheckedMoment): TerminalText {
  const what = fate === 'orphaned' ? 'file' : snapshot ? `snapshot "${snapshot.name}"` : 'the machine as it is';
  const where = file === undefined ? '' : ` (${file})`;
  const why = forecast
    ? `: ${forecast.vboxCode}${forecast.unit === undefined ? '' : ` at ${forecast.unit}`}, ${forecast.message}`
    : '';
  const bytes = whole === undefined ? '' : whole ? ', its bytes are whole' : ', it is damaged';
  return line`${'  '.repeat(depth + 1)}${what}: ${WORDS[fate]}${bytes}${where}${why}`;
}
