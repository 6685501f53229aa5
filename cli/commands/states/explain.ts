import { existsSync } from 'node:fs';
import type { Argv } from 'yargs';
import { type Explanation, explainCode } from '../../../src/saved-state/explain/explain.ts';
import { explainLog, type LogFinding, LogReader } from '../../../src/saved-state/explain/log-reader.ts';
import { notALog } from '../../../src/saved-state/explain/not-a-log.ts';
import { explainQemu } from '../../../src/saved-state/explain/qemu-messages.ts';
import { readLines } from '../../io/input.ts';
import { command, type OptionsOf } from '../../parsing/options-of.ts';
import { ALL_CODE_FAMILIES } from '../../process/code-families.ts';
import { ExitCode } from '../../process/exit-codes.ts';
import { type Outcome, runCommand, withCommonOptions } from '../../process/run-command.ts';
import { good, heading } from '../../terminal/styles.ts';
import { indent, line, lines, NO_TEXT, type TerminalText } from '../../terminal/terminal-text.ts';

const builder = (argv: Argv) =>
  withCommonOptions(argv)
    .positional('what', {
      type: 'string',
      array: true,
      demandOption: true,
      describe:
        'VERR_SSM_…, VERR_PGM_…, a number, a code of savkit, a message (of QEMU or libvirt, too), or the path ' +
        'of a log or a message; - for stdin',
    })
    .example('$0 explain VERR_SSM_LOAD_CONFIG_MISMATCH', 'A code from a message box')
    .example('$0 explain -1844', 'The same by number')
    .example('$0 explain truncated', "A code in savkit's own JSON")
    .example('$0 explain "apic#0: Config mismatch … (VERR_SSM_LOAD_CONFIG_MISMATCH)"', 'A whole message')
    .example('$0 explain "load of migration failed: Invalid argument"', 'A message of QEMU')
    .example('$0 explain "VirtualBox VMs/box/Logs/VBox.log"', 'Which unit failed, and why?')
    .epilogue(
      'Exit codes: 0 explained, or a log without failures; 2 not known; 4 the log cannot be read; ' +
        '5 the file is no log.',
    );
type Options = OptionsOf<typeof builder>;

export const explainCommand = command(builder, async (options) => {
  process.exitCode = await runCommand('explain', options.what.map(String), options, ({ file }) =>
    explain(file, options),
  );
});

async function explain(what: string, { quiet }: Options): Promise<Outcome> {
  if (what === '-' || existsSync(what)) return explainFile(what, quiet);
  // Messages have blanks, and paths of logs may have blanks, too; but no failure is found in the words of a path.
  const told = /\s/.test(what) ? explainLog(what) : [];
  if (told.length > 0) return outcomeOf(told, what, quiet);
  const said = explainQemu(what);
  if (said.length > 0) return codesOutcome(said, quiet);
  // Codes have no dots or slashes. Opening a path that leads to no file reports the error.
  if (/[./\\]/.test(what)) return explainFile(what, quiet);
  return codesOutcome(explainCode(what, ALL_CODE_FAMILIES), quiet);
}

function codesOutcome(codes: readonly Explanation[], quiet: boolean): Outcome {
  return { exitCode: ExitCode.OK, result: { codes }, text: quiet ? NO_TEXT : lines(codes.map(codeText)) };
}

/** Explains a log line by line, as it may be long. */
async function explainFile(path: string, quiet: boolean): Promise<Outcome> {
  const reader = new LogReader();
  const said = new Map<string, Explanation>();
  const start = await readLines(path, (text) => {
    reader.line(text);
    for (const explanation of explainQemu(text)) said.set(explanation.name, explanation);
  });
  const told = reader.end();
  if (told.length > 0) return outcomeOf(told, path, quiet);
  if (said.size > 0) return codesOutcome([...said.values()], quiet);
  const refusal = notALog(start.bytes, start.text);
  if (refusal) throw refusal;
  return outcomeOf(told, path, quiet);
}

function outcomeOf(log: readonly LogFinding[], what: string, quiet: boolean): Outcome {
  const text =
    log.length === 0
      ? line`${what}: ${good('no failure of saving or loading that savkit knows')}`
      : lines(log.map(findingText));
  return { exitCode: ExitCode.OK, result: { log }, text: quiet ? NO_TEXT : text };
}

function codeText({ name, error, number, onlyIn30, means, lost, next }: Explanation): TerminalText {
  const numbers = number === undefined ? '' : ` (${number}${onlyIn30 ? ' in VirtualBox 3.0 and older' : ''})`;
  const text = [
    heading(`${name}${numbers}${error === undefined ? '' : ` (${error} of savkit)`}`),
    indent(means),
    indent(`Lost: ${lost}`),
  ];
  if (next.length > 0) text.push(indent('What to do:'), ...next.map((step, i) => indent(indent(`${i + 1}. ${step}`))));
  return lines(text);
}

function findingText({
  lines: numbers,
  unit,
  instance,
  version,
  pass,
  messages,
  explanation,
}: LogFinding): TerminalText {
  const where = unit === undefined ? '' : `unit ${unit}${instance === undefined ? '' : `/${instance}`}`;
  const details = [
    version === undefined ? '' : `version ${version}`,
    pass === undefined || pass === 'final' ? '' : `pass ${pass}`,
  ].filter((part) => part !== '');
  const place = where === '' ? '' : `, ${where}${details.length > 0 ? ` (${details.join(', ')})` : ''}`;
  const title = `Line ${numbers[0]}${numbers.length > 1 ? ` to ${numbers.at(-1)}` : ''}${place}`;
  return lines([
    heading(title),
    ...messages.map((message) => indent(`VirtualBox: ${message}`)),
    indent(codeText(explanation)),
  ]);
}
