import { STDOUT_PATHS } from '../io/descriptor-paths.ts';

// Words that begin with a dash but are no options: a lone `-` (stdin or stdout), which yargs drops from the arguments
// of a command, and all words after `--`. A prefix that no argument can have carries them through yargs.

const HIDDEN = '\0';

export function hideDashes(words: readonly string[]): string[] {
  const end = words.indexOf('--');
  const [before, behind] = end < 0 ? [words, []] : [words.slice(0, end), words.slice(end + 1)];
  return [
    ...before.map((word) => (word === '-' ? hidden(word) : word)),
    ...behind.map((word) => (word.startsWith('-') ? hidden(word) : word)),
  ];
}

/** Words before `--`, which may be options. */
export function beforeDashes(words: readonly string[]): readonly string[] {
  const end = words.indexOf('--');
  return end < 0 ? words : words.slice(0, end);
}

/** Restores the user's values, with `-` for other names of stdout; as middleware of yargs. */
export function showDashes(options: Record<string, unknown>): void {
  for (const [key, value] of Object.entries(options))
    options[key] = Array.isArray(value) ? value.map(shown) : shown(value);
}

/** A text about the command line, with all words as the user gave them. */
export function withoutHiding(text: string): string {
  return text.replaceAll(HIDDEN, '');
}

function hidden(word: string): string {
  return `${HIDDEN}${word}`;
}

function shown(value: unknown): unknown {
  if (typeof value !== 'string') return value;
  // A command that writes to `-` prints its report elsewhere, so other names of stdout become `-`.
  return STDOUT_PATHS.includes(value) ? '-' : withoutHiding(value);
}
