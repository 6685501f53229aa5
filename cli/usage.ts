import { COMMANDS } from './command-list.ts';
import { ExitCode } from './exit-codes.ts';
import { nearest } from './nearest.ts';
import { tell } from './terminal/print.ts';
import { line } from './terminal/terminal-text.ts';

const NAMES = COMMANDS.map(({ command }) => nameOf(command));

/** Also takes options that stand before the command: what belongs to them the parser only knows once it has the command. */
export function commandFirst(words: readonly string[]): readonly string[] {
  const at = words[0]?.startsWith('-') ? words.findIndex((word) => NAMES.includes(word)) : -1;
  return at > 0 ? [words[at], ...words.slice(0, at), ...words.slice(at + 1)] : words;
}

/** Ends with what is wrong with a command line, and where to look it up. */
export function refuse(message: string, words: readonly string[]): never {
  const first = words.find((word) => !word.startsWith('-'));
  const known = COMMANDS.find(({ command }) => nameOf(command) === first);
  const about = known ? ` ${first}` : '';
  const what = known
    ? usageText(message, known.command)
    : first === undefined
      ? withoutCommand(words)
      : `there is no command ${JSON.stringify(first)}${meant(first)}`;
  tell(line`savkit${about}: ${what}\nTry: savkit${about} --help`);
  process.exit(ExitCode.USAGE);
}

/** What yargs says, in words that need no knowledge of it. */
function usageText(message: string, command: string): string {
  const [, missing] = /^Missing required arguments?: (.*)/.exec(message) ?? [];
  if (missing !== undefined) return `expected ${missing.replace(/[\w-]+/g, '--$&')}, too`;
  const [, surplus] = /^Unknown arguments?: (.*)/s.exec(message) ?? [];
  if (surplus !== undefined) return `too much is ${surplus}; expected savkit ${command}`;
  const [, argument, given, choices] = /Argument: (.*), Given: (".*"), Choices: (.*)/.exec(message) ?? [];
  if (choices !== undefined) return `${argument} ${given}: expected ${choices.replaceAll('"', '')}`;
  return message.startsWith('Not enough non-option arguments') ? `expected savkit ${command}` : message;
}

function withoutCommand(words: readonly string[]): string {
  return words.length === 0 ? 'which command?' : `there is no option ${words[0]} without a command`;
}

/** The command that was probably meant. */
function meant(word: string): string {
  const command = nearest(word, NAMES);
  return command === undefined ? '' : `; did you mean ${command}?`;
}

function nameOf(command: string): string {
  return command.split(' ')[0];
}

/** The names in `diff <a> <b>`. */
export function positionalsOf(command: string): string[] {
  return [...command.matchAll(/[<[]([\w-]+)/g)].map(([, name]) => name);
}
