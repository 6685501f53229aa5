import { existsSync } from 'node:fs';
import { UsageError } from '../formats/errors.ts';
import { isPairingCode } from '../migrations/trust/code-form.ts';
import { findingOf } from '../src/saved-state/reading/findings.ts';
import { COMMANDS } from './command-list.ts';
import { beforeDashes, withoutHiding } from './parsing/dash.ts';
import { commandsMeant } from './parsing/other-words.ts';
import { NO_CODE, surplusError } from './parsing/surplus.ts';
import { documentOf } from './process/document.ts';
import { ExitCode } from './process/exit-codes.ts';
import { showJson, tell } from './terminal/print.ts';
import { line } from './terminal/terminal-text.ts';

const NAMES = COMMANDS.map(({ command }) => nameOf(command));

/**
 * The words of a command line with the command moved to the front: the parser needs the command to tell which options
 * take a value. The words `help` and `version` count as the options of that name.
 */
export function commandFirst(words: readonly string[]): readonly string[] {
  const [first, ...others] = words;
  if (first === 'help') return [...commandFirst(others.filter((word) => word !== 'help')), '--help'];
  if (first === 'version' && others.length === 0) return ['--version'];
  const at = first?.startsWith('-') ? words.findIndex((word) => NAMES.includes(word)) : -1;
  return at > 0 ? [words[at], ...words.slice(0, at), ...words.slice(at + 1)] : words;
}

/** @throws UsageError where the words name no command, or an unknown one */
export function expectCommand(words: readonly string[], wantsHelp: boolean): void {
  const first = words.find((word) => !word.startsWith('-'));
  if (first === undefined && wantsHelp) return;
  if (first === undefined)
    throw new UsageError(
      'no-command',
      words.length === 0 ? 'which command?' : `there is no option ${words[0]} without a command`,
    );
  if (NAMES.includes(words[0])) return;
  const meant = commandsMeant(first, NAMES).join(' or ');
  throw new UsageError(
    'unknown-command',
    'there is no command ' +
      `${isPairingCode(first) ? NO_CODE : JSON.stringify(first)}${meant === '' ? '' : `; did you mean ${meant}?`}`,
  );
}

/** Commands that ask for a pairing code. */
const ASK_FOR_CODES = ['migrate', 'receive', 'relay'];

/**
 * @throws UsageError for a pairing code among the words: other users can read it there, and messages would repeat it
 */
export function refuseCodes(words: readonly string[]): void {
  if (!ASK_FOR_CODES.includes(words[0])) return;
  const values = words.map((word) => word.replace(/^--[a-z-]+=/, ''));
  if (values.some((value) => isPairingCode(value) && !existsSync(value)))
    throw new UsageError(
      'code-in-words',
      'among the words is a pairing code, and other users can read command lines: savkit asks for it, or takes ' +
        'it from --code-file FILE; let the target make a new one',
    );
}

/** Tells the fault in a command line, and where its help is: as text, or as JSON where that was asked for. */
export async function refuse(error: UsageError, words: readonly string[]): Promise<void> {
  const command = NAMES.includes(words[0]) ? words[0] : null;
  const about = command === null ? '' : ` ${command}`;
  process.exitCode = ExitCode.USAGE;
  const document = documentOf(command, ExitCode.USAGE, [], findingOf(error));
  if (wants('ndjson', words)) await showJson({ event: 'end', ...document }, { isEvent: true });
  else if (wants('json', words)) await showJson(document);
  else tell(line`savkit${about}: ${error.message}\nTry: savkit${about} --help`);
}

/** Whether the words switch an option on; the parser may have failed before it came to the option. */
function wants(option: string, words: readonly string[]): boolean {
  const last = beforeDashes(words).findLast((word) => new RegExp(`^--(no-)?${option}(=|$)`).test(word));
  return last === `--${option}` || last === `--${option}=true`;
}

/** An error of savkit for a message of yargs about the words of a command. */
export function usageError(said: string, command: string): UsageError {
  const message = withoutHiding(said);
  const { command: usage } = COMMANDS.find((each) => nameOf(each.command) === command) ?? { command };
  const [, missing] = /^Missing required arguments?: (.*)/.exec(message) ?? [];
  if (missing !== undefined)
    return new UsageError('missing-option', `expected ${missing.replace(/[\w-]+/g, '--$&')}, too`);
  const [, surplus] = /^Unknown arguments?: (.*)/s.exec(message) ?? [];
  if (surplus !== undefined) return surplusError(surplus.split(', '), `savkit ${usage}`);
  const [, argument, given, choices] = /Argument: (.*), Given: (".*"), Choices: (.*)/s.exec(message) ?? [];
  if (choices !== undefined)
    return new UsageError('bad-value', `${argument} ${given}: expected ${choices.replaceAll('"', '')}`);
  const [, one, other] = /^Arguments (\S+) and (\S+) are mutually exclusive/.exec(message) ?? [];
  if (other !== undefined) return new UsageError('bad-combination', `--${one} and --${other} exclude each other`);
  if (message.startsWith('Not enough non-option arguments'))
    return new UsageError('missing-argument', `expected savkit ${usage}`);
  return new UsageError('usage', message);
}

function nameOf(command: string): string {
  return command.split(' ')[0];
}

/** The names in `diff <a> <b>`. */
export function positionalsOf(command: string): string[] {
  return [...command.matchAll(/[<[]([\w-]+)/g)].map(([, name]) => name);
}
