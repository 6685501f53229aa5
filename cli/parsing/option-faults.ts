import type { Argv } from 'yargs';
import { nearest } from './nearest.ts';
import { typedName } from './option-name.ts';

/** The options of a command as yargs knows them, each under all of its names. */
export interface KnownOptions {
  key: Record<string, unknown>;
  alias: Record<string, string[]>;
  boolean: string[];
  number: string[];
  array: string[];
  choices: Record<string, readonly unknown[]>;
}

/** Options declared so far; yargs has them, but not in its types. */
export function knownOptions(argv: Argv): KnownOptions {
  return (argv as Argv & { getOptions(): KnownOptions }).getOptions();
}

/**
 * The fault in the options of a command line, if there is one. yargs itself reports some faults by their consequences:
 * it takes the word after an unknown option for its value, and then misses a file; it makes a list of an option given
 * twice, and NaN of a text.
 * @param positionals names of arguments, which yargs lists among the options
 */
export function optionFault(
  words: readonly string[],
  known: KnownOptions,
  positionals: readonly string[],
): string | undefined {
  const names = Object.keys(known.key).filter((name) => !positionals.includes(name));
  const given = new Set<string>();
  for (let i = 0; i < words.length && words[i] !== '--'; i++) {
    for (const { name, spelt, value } of optionsIn(words[i])) {
      if (isSwitch(name, names, known)) {
        if (value !== undefined && value !== 'true' && value !== 'false') return `${spelt} takes no value`;
        continue;
      }
      if (!names.includes(name)) return `there is no option ${spelt}${suggestion(name, names)}`;
      const next = value ?? words[++i];
      // A value that begins with a dash has to follow `=`.
      const text = value === undefined && next !== undefined && isOption(next) ? undefined : next;
      const fault = valueFault(text, name, known);
      if (fault) return `${spelt}${text === undefined ? '' : ` ${text || '""'}`}: ${fault}`;
      if (given.has(name) && !known.array.includes(name)) return `${spelt} is given twice`;
      for (const each of [name, ...namesBeside(name, known)]) given.add(each);
    }
  }
  return undefined;
}

/** Whether an option takes no value; its opposite, such as `--no-proof`, does not either. */
function isSwitch(name: string, names: readonly string[], { boolean }: KnownOptions): boolean {
  return [name, name.replace(/^no-/, '')].some((each) => names.includes(each) && boolean.includes(each));
}

function namesBeside(name: string, { alias }: KnownOptions): string[] {
  return Object.entries(alias).flatMap(([first, others]) =>
    [first, ...others].includes(name) ? [first, ...others] : [],
  );
}

/**
 * Lets the last value of a repeated switch count, of which yargs makes a list of values; to be used as middleware of
 * yargs.
 */
export function settleSwitches(options: Record<string, unknown>): void {
  for (const [key, value] of Object.entries(options)) {
    if (Array.isArray(value) && typeof value.at(-1) === 'boolean') options[key] = value.at(-1);
  }
}

/** Takes choices in capital letters, too: `--format ELF`. */
export function foldChoices(argv: Argv, { choices }: KnownOptions): void {
  for (const [name, allowed] of Object.entries(choices))
    argv.coerce(name, (value: unknown) => choiceOf(value, allowed) ?? value);
}

function choiceOf(value: unknown, allowed: readonly unknown[]): unknown {
  return allowed.find((choice) => String(choice).toLowerCase() === String(value).toLowerCase());
}

interface GivenOption {
  name: string;
  /** The option as the user has written it. */
  spelt: string;
  /** The part after `=`. */
  value: string | undefined;
}

/** The options in a word: `--name`, `--name=value`, `-n`, `-n=value`, `-abc`; none in other words. */
function optionsIn(word: string): GivenOption[] {
  const [, dashes, names, value] = /^(--?)([^=]*)(?:=(.*))?$/s.exec(word) ?? [];
  if (names === undefined || !isOption(word)) return [];
  if (dashes === '--') return [{ name: typedName(names), spelt: `--${names}`, value }];
  return [...names].map((name, i) => ({ name, spelt: `-${name}`, value: i === names.length - 1 ? value : undefined }));
}

/** Whether a word is an option: a dash alone stands for stdin or stdout, and numbers may be negative. */
function isOption(word: string): boolean {
  return /^-[^\d.]/.test(word) && word !== '--';
}

function valueFault(text: string | undefined, option: string, { number, choices }: KnownOptions): string | undefined {
  const allowed = choices[option];
  if (text === undefined)
    return `expected ${allowed ? allowed.join(', ') : number.includes(option) ? 'a number' : 'a value'} after it`;
  if (allowed && choiceOf(text, allowed) === undefined) return `expected ${allowed.join(', ')}`;
  if (!number.includes(option)) return text === '' ? 'expected a value' : undefined;
  const value = text.trim() === '' ? Number.NaN : Number(text);
  return value >= 0 && value < Number.POSITIVE_INFINITY ? undefined : 'expected a number, not below 0';
}

function suggestion(name: string, names: readonly string[]): string {
  const meant = nearest(
    name,
    names.filter((each) => each.length > 1),
  );
  return meant === undefined ? '' : `; did you mean --${meant}?`;
}
