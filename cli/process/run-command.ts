import type { Argv } from 'yargs';
import {
  EnvironmentError,
  FormatError,
  InterruptedError,
  NotAStateError,
  ownError,
  type SavkitError,
  UnsupportedError,
  UsageError,
} from '../../formats/errors.ts';
import { isUnreadable } from '../../formats/files/readable-parts.ts';
import { type Finding, findingOf } from '../../src/saved-state/reading/findings.ts';
import { isAboutOther } from '../io/other-files.ts';
import { stop } from '../io/stop.ts';
import { expectDecodable } from '../io/undecodable-names.ts';
import type { OptionsOf } from '../parsing/options-of.ts';
import { show, showJson, tell, unreadBytes } from '../terminal/print.ts';
import { ProgressBar } from '../terminal/progress-bar.ts';
import { line, NO_TEXT, type TerminalText } from '../terminal/terminal-text.ts';
import { custody } from './custody.ts';
import { documentOf, type FileResult } from './document.ts';
import { ExitCode, exitCodeOf, gravest } from './exit-codes.ts';

export function withCommonOptions<T>(argv: Argv<T>) {
  return argv
    .option('json', {
      type: 'boolean',
      default: false,
      describe: 'Print one JSON document (its schema: cli/output.schema.json); to stderr where -o - writes to stdout',
    })
    .option('quiet', {
      type: 'boolean',
      alias: 'q',
      default: false,
      describe: 'Print nothing but errors and asked-for data',
    });
}

/** Options that every command has. */
export type CommonOptions = OptionsOf<typeof withCommonOptions> & {
  /** Whether a long command prints events as they happen. */
  ndjson?: boolean;
  /**
   * The file that a command writes. With `-` its bytes go to stdout, and a JSON document to stderr. The document of a
   * refused command line goes to stdout, as no bytes follow.
   */
  output?: string;
};

export function withThreads<T>(argv: Argv<T>) {
  return argv.option('threads', {
    type: 'number',
    requiresArg: true,
    describe: 'Number of threads; default: as many as make the work faster. The result is the same',
  });
}

/** Options of commands that can use several threads. */
export type ThreadOptions = OptionsOf<typeof withThreads>;

/** @throws UsageError for a bad number of threads */
export function threadsOf({ threads }: ThreadOptions): ThreadOptions {
  if (threads === undefined) return {};
  if (!Number.isInteger(threads) || threads < 1)
    throw new UsageError('bad-threads', 'Cannot use so many --threads: expected a whole number from 1 on');
  return { threads };
}

/** A command's result for one file. `result` goes into the JSON as it is, `text` to people. */
export interface Outcome {
  exitCode: ExitCode;
  findings?: readonly Finding[];
  result: object;
  text: TerminalText;
  /** Word under which files with this outcome are counted, if the exit code says too little. */
  word?: string;
}

/** A command's work on one file. */
export interface Job {
  file: string;
  signal: AbortSignal;
  progress: ProgressBar;
}

/** Options for reading a source: the reading ends with the command, and shows its progress. */
export function stepsOf({ signal, progress }: Job, source: { size: number | undefined }) {
  return {
    signal,
    onProgress: (doing: string, offset: number) => progress.update(offset, source.size, doing),
  };
}

/**
 * Runs a command and prints its results: data to stdout, all else to stderr. Signals end it as `custody` says. @returns
 * the exit code
 */
export async function runCommand(
  command: string,
  files: readonly string[],
  options: CommonOptions,
  run: (job: Job) => Promise<Outcome>,
): Promise<ExitCode> {
  watchSignals();
  stop.isTooLate = false;
  const results: FileResult[] = [];
  for (const file of files) {
    if (stop.signal.aborted) break;
    const done = await runOne(command, { file, signal: stop.signal }, options, run);
    results.push(done.result);
    if (!isForPrograms(options)) await present(done);
  }
  const codes = results.map((result) => result.exitCode);
  const isCut = stop.signal.aborted && !(stop.isTooLate && results.length === files.length);
  const exitCode = isCut ? ExitCode.INTERRUPTED : gravest(codes);
  const document = documentOf(command, exitCode, results);
  if (options.ndjson) await showJson({ event: 'end', ...document }, { isEvent: true });
  else if (options.json) await showJson(document, { beside: options.output === '-' && exitCode !== ExitCode.USAGE });
  return exitCode;
}

/** Signals end the work, as `custody` says. */
export function watchSignals(): void {
  custody.watch(stopWork);
}

export function isForPrograms({ json, ndjson }: CommonOptions): boolean {
  return json || ndjson === true;
}

/** Printable outcome of one file. */
export interface Done {
  result: FileResult;
  /** For people, on stdout. */
  text: TerminalText;
  /** Failures, for people, on stderr. */
  told: TerminalText;
  /** The command's own word for this outcome, where it has one. */
  word?: string;
}

/** Word under which files are counted that were never a state. */
export const NO_STATE = 'no state';
/** Word for a file that was not judged, as the command line or another file does not allow it. */
export const NOT_POSSIBLE = 'not possible';

/** Runs a command on one file. Failures are part of the result. @throws faults of savkit itself */
export async function runOne(
  command: string,
  given: Omit<Job, 'progress'> & { progress?: ProgressBar },
  options: CommonOptions,
  run: (job: Job) => Promise<Outcome>,
): Promise<Done> {
  const { file } = given;
  const { progress = new ProgressBar(command, file, !options.quiet && !isForPrograms(options)) } = given;
  try {
    expectDecodable([file, ...Object.values(options)]);
    const { exitCode, findings = [], result, text, word } = await run({ ...given, progress });
    const done = { result: { file, exitCode, findings, result, error: null }, text, told: NO_TEXT };
    return word === undefined ? done : { ...done, word };
  } catch (thrown) {
    const error = ownError(isAbort(thrown) ? new InterruptedError() : thrown);
    const exitCode = exitCodeOf(error);
    hintAtForce(error, options);
    hintAtSalvage(error, command);
    const told = line`${namedErrorText(error)}`;
    return {
      result: { file, exitCode, findings: [], result: null, error: findingOf(error) },
      text: NO_TEXT,
      told,
      word: wordFor(error),
    };
  } finally {
    progress.stop();
  }
}

/** A word for an error; undefined where the word for its exit code says enough. */
function wordFor(error: SavkitError): string | undefined {
  const isVerdict = error instanceof FormatError || error instanceof UnsupportedError;
  if (isVerdict && isAboutOther(error)) return NOT_POSSIBLE;
  return error instanceof NotAStateError ? NO_STATE : undefined;
}

/** Whether an error is the system's for aborted work. */
function isAbort(thrown: unknown): boolean {
  return stop.signal.aborted && (thrown as Error).name === 'AbortError';
}

/** Prints the outcome of a file, for people. */
export async function present({ text, told }: Done): Promise<void> {
  await show(text);
  tell(told);
}

/** Adds how to replace an existing file, or that another name is needed. */
function hintAtForce(error: SavkitError, options: object): void {
  // The error for the path of a control socket says more by itself.
  if (error.code !== 'EEXIST' || !error.message.startsWith('Cannot write')) return;
  if (!('force' in options)) error.message += '; choose another name';
  else if (!options.force) error.message += '; --force replaces it';
}

/** Adds that salvage reads the rest of a file on a failing disk. */
function hintAtSalvage(error: SavkitError, command: string): void {
  if (!isUnreadable(error) || error.place.offset === undefined || command === 'salvage') return;
  error.message += '; of a saved state, `savkit salvage` keeps all that can be read';
}

/** Milliseconds for which the end of the process waits for a slow reader of stdout. */
const READER_PATIENCE = 500;

function stopWork(): void {
  stop.abort();
  // A reader of stdout that has stopped reading would keep the process alive.
  setTimeout(() => unreadBytes() > 0 && process.exit(ExitCode.INTERRUPTED), READER_PATIENCE).unref();
}

/** Error message; with the file's name if the error was found in a file. */
function namedErrorText(error: SavkitError): string {
  return error.source === undefined || error instanceof EnvironmentError
    ? errorText(error)
    : `${error.source}: ${errorText(error)}`;
}

export function errorText(
  error: Pick<SavkitError, 'message'> & Partial<Pick<SavkitError, 'vboxCode' | 'qemuSays'>>,
): string {
  const { message, vboxCode, qemuSays } = error;
  if (vboxCode) return `${message} (${vboxCode})`;
  return qemuSays ? `${message} (QEMU: ${qemuSays})` : message;
}
