import { entryOf } from '../../formats/entry-of.ts';
import { SavkitError, UsageError } from '../../formats/errors.ts';
import type { Machine } from '../machine/machine.ts';
import type { HostPaging } from '../paging/shadow-mode.ts';
import { type Answer, linesOf } from './answer.ts';
import { CONSOLE_COMMANDS, INFO_ITEMS } from './commands.ts';
import { ConsoleSession } from './session.ts';

/** The debugger's console over a loaded machine: a line in, an answer out. */
export class Console {
  /** Surroundings that commands share. */
  readonly session: ConsoleSession;

  /**
   * A console on a machine that stands still.
   * @param host host for which shadow tables are made on demand
   * @param signal ends long searches
   */
  constructor(machine: Machine, host?: HostPaging, signal?: AbortSignal) {
    this.session = new ConsoleSession(machine, host, signal);
  }

  /** Runs one line. The answer is text for any state, with `error` if the command could not be carried out. */
  async run(line: string): Promise<Answer> {
    try {
      const [name = '', ...words] = wordsOf(line);
      if (name === '') return { text: '' };
      const command = CONSOLE_COMMANDS.find((each) => each.name === name.replace(/^\./, ''));
      if (!command)
        throw new UsageError('unknown-command', `Cannot run ${name}: there is no such command, help lists them`);
      const [least, most] = command.arguments;
      if (words.length < least || words.length > most)
        throw new UsageError('bad-arguments', `Cannot run ${name}: usage: ${command.name} ${command.usage}`);
      return await command.run(this.session, words);
    } catch (error) {
      if (!(error instanceof SavkitError) || this.session.signal?.aborted) throw error;
      return { ...linesOf([`error: ${error.message}`]), error };
    }
  }

  /** Completions of a line, and the part of the line that they replace, in the form that `node:readline` expects. */
  complete(line: string): [string[], string] {
    const words = line.trimStart().split(/\s+/);
    const last = words.at(-1) ?? '';
    const choices = words.length <= 1 ? CONSOLE_COMMANDS.map(({ name }) => name) : (entryOf(CHOICES, words[0]) ?? []);
    return [choices.filter((choice) => choice.startsWith(last)), last];
  }
}

const CHOICES: Readonly<Record<string, readonly string[]>> = {
  info: INFO_ITEMS.map(({ name }) => name),
  help: CONSOLE_COMMANDS.map(({ name }) => name),
  tables: ['guest', 'shadow', 'intermediate'],
  pgmerror: ['handy'],
  pgmerroroff: ['handy'],
};

/** Words of a line; quotes keep blanks together. */
function wordsOf(line: string): string[] {
  return (line.match(/"[^"]*"?|\S+/g) ?? []).map((word) => word.replaceAll('"', ''));
}
