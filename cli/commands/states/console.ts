import { tmpdir } from 'node:os';
import { basename, dirname } from 'node:path';
import { createInterface } from 'node:readline/promises';
import type { Argv } from 'yargs';
import { linesOf } from '../../../formats/binary/lines.ts';
import { InterruptedError, UsageError } from '../../../formats/errors.ts';
import { KIB } from '../../../formats/sizes.ts';
import { ensureFolder } from '../../../migrations/hand-over/record-folder.ts';
import type { Answer } from '../../../src/console/answer.ts';
import { Console } from '../../../src/console/console.ts';
import { save } from '../../../src/console/memory-commands.ts';
import { loadState } from '../../../src/machine/load.ts';
import { parseHostPaging } from '../../../src/paging/shadow-mode.ts';
import { findingOf } from '../../../src/saved-state/reading/findings.ts';
import { defaultFolder, newKeepFile } from '../../control/keep-file.ts';
import { withSource } from '../../io/input.ts';
import { command, type OptionsOf } from '../../parsing/options-of.ts';
import { type Charge, custody } from '../../process/custody.ts';
import { ExitCode, exitCodeOf, gravest } from '../../process/exit-codes.ts';
import { SHADOW } from '../../process/host-options.ts';
import { type Job, type Outcome, runCommand, stepsOf, withCommonOptions } from '../../process/run-command.ts';
import { drawingStreams, show } from '../../terminal/print.ts';
import { line, NO_TEXT, ownLines } from '../../terminal/terminal-text.ts';

/** Longest line in bytes; commands with their arguments are far shorter. */
const MAX_LINE = 64 * KIB;

const builder = (argv: Argv) =>
  withCommonOptions(argv)
    .positional('state', { type: 'string', demandOption: true, describe: 'Saved state; - for stdin (with -c)' })
    .option('command', {
      type: 'string',
      alias: 'c',
      array: true,
      nargs: 1,
      requiresArg: true,
      describe: 'Run this command and end; may be given several times',
    })
    .option('shadow', SHADOW)
    .example('$0 console machine.sav', 'Type commands; help lists them, Tab completes')
    .example("$0 console machine.sav -c 'info mode' -c pgmram", 'Two answers')
    .example('$0 console machine.sav -c \'find text "password"\' --json', 'For a script')
    .example('$0 console machine.sav < commands.txt', 'Commands of a file, a line each')
    .epilogue('The file stays as it is: poke changes memory that was loaded, save FILE writes a new state.');
type Options = OptionsOf<typeof builder>;

export const consoleCommand = command(builder, async (options) => {
  process.exitCode = await runCommand('console', [options.state], options, (job) => runConsole(job, options));
});

async function runConsole(job: Job, options: Options): Promise<Outcome> {
  const { command } = options;
  if (command === undefined && options.state === '-')
    throw new UsageError('bad-combination', 'Cannot read commands: stdin is the state, so give them by -c');
  const machine = await withSource(job, (source) => loadState(source, stepsOf(job, source)));
  job.progress.stop();
  const host = options.shadow === undefined ? undefined : parseHostPaging(options.shadow);
  const console = new Console(machine, host, job.signal);
  const release = custody.take(changesOf(console, options.state));
  try {
    return await (command ? runLines(console, command, options) : talk(console, job, options));
  } finally {
    release();
  }
}

/** Memory that was changed and is in no file yet. */
function changesOf({ session }: Console, state: string): Charge {
  const { path } = newKeepFile(basename(state, '.sav'), defaultFolder(tmpdir()));
  return {
    isHeld: () => session.hasChanges,
    needsTerminal: true,
    needsOutput: true,
    ways: () => line`Memory has changed: save FILE writes it; another Ctrl-C, or SIGTERM, saves it to ${path} and ends`,
    save: async () => {
      await ensureFolder(dirname(path));
      await save(session, path);
      return line`Memory had changed: it is saved in ${path}`;
    },
  };
}

async function runLines(
  console: Console,
  lines: Iterable<string> | AsyncIterable<string>,
  { json }: Options,
): Promise<Outcome> {
  const answers: object[] = [];
  const exitCodes: ExitCode[] = [ExitCode.OK];
  for await (const line of lines) {
    const answer = await console.run(line);
    if (answer.error) exitCodes.push(exitCodeOf(answer.error));
    if (json)
      answers.push({
        command: line,
        text: answer.text,
        rows: answer.rows ?? null,
        error: answer.error ? findingOf(answer.error) : null,
      });
    else await print(answer);
  }
  return { exitCode: gravest(exitCodes), result: { answers }, text: NO_TEXT };
}

function print({ text }: Answer): Promise<void> {
  return show(ownLines(text));
}

/** Reads lines from the terminal, with history and completion, or from another input as they are. */
async function talk(console: Console, { signal }: Job, options: Options): Promise<Outcome> {
  // The listener below would miss a signal that came while the state was loaded.
  if (signal.aborted) throw new InterruptedError();
  if (process.stdin.isTTY !== true) return runLines(console, linesOfStdin(signal), options);
  const lines = createInterface({
    input: process.stdin,
    output: drawingStreams.lineEditor,
    prompt: 'savkit> ',
    completer: (line: string) => console.complete(line),
  });
  signal.addEventListener('abort', () => lines.close());
  try {
    void show(line`help lists the commands, quit ends`);
    await converse(console, lines);
  } finally {
    lines.close();
  }
  if (signal.aborted) throw new InterruptedError();
  return { exitCode: ExitCode.OK, result: { answers: [] }, text: NO_TEXT };
}

function linesOfStdin(signal: AbortSignal): AsyncIterable<string> {
  signal.addEventListener('abort', () => process.stdin.destroy(new InterruptedError()));
  return linesOf(process.stdin, MAX_LINE);
}

/**
 * Talks until `quit`, Ctrl-C on an empty line, or Ctrl-D. If memory has changed, `quit` and Ctrl-C warn once; Ctrl-D
 * cannot be repeated, so it only reports the loss.
 */
async function converse(console: Console, lines: ReturnType<typeof createInterface>): Promise<void> {
  let hasWarned = false;
  const mayEnd = () => {
    if (!console.session.hasChanges || hasWarned) return true;
    void show(line`Memory has changed: save FILE writes it, quit again drops the changes`);
    hasWarned = true;
    return false;
  };
  lines.on('SIGINT', () => {
    void show(line`\n`);
    if (lines.line === '' && mayEnd()) return lines.close();
    lines.write(null, { ctrl: true, name: 'e' });
    lines.write(null, { ctrl: true, name: 'u' });
    lines.prompt();
  });
  lines.prompt();
  for await (const line of lines) {
    if (/^\s*(quit|exit)\s*$/.test(line)) {
      if (mayEnd()) return;
    } else await print(await console.run(line));
    lines.prompt();
  }
  await custody.heardHangUp();
  if (console.session.hasChanges && !hasWarned) await show(line`\nMemory had changed: the changes are dropped`);
}
