import type { Options } from 'yargs';
import { COMMON } from '../manual/command-page.ts';
import { declarationOf } from '../manual/declaration.ts';
import type { LazyCommand } from '../parsing/lazy-command.ts';

/** An option as shells complete it. */
export interface WordOption {
  /** Long spelling, such as `--unit`. */
  name: string;
  /** Short spelling, such as `-u`, where there is one. */
  short: string | undefined;
  meaning: string;
  /** `switch`: no value; `unit`, `rom`, `mmio2`: the name of such a part of the state; `value`: any text, or a file. */
  takes: 'switch' | 'value' | NameKind;
  choices: readonly string[];
}

/** Kinds of names that are completed out of the state itself. */
export const NAME_KINDS = ['unit', 'rom', 'mmio2'] as const;
export type NameKind = (typeof NAME_KINDS)[number];

/** A command as shells complete it. */
export interface CommandWords {
  name: string;
  meaning: string;
  options: readonly WordOption[];
  /** Words that are valid arguments; files if there are none. */
  choices: readonly string[];
}

/** All commands with their options, as they declare them. */
export async function vocabularyOf(commands: readonly LazyCommand[]): Promise<CommandWords[]> {
  return Promise.all(
    commands.map(async (command) => {
      const { describe, options, positionals } = await declarationOf(command);
      return {
        name: command.command.split(' ')[0],
        meaning: describe,
        options: [...options]
          .filter(([, { hidden }]) => !hidden)
          .map(([name, declared]) => optionOf(name, declared))
          .concat(help),
        choices: [...positionals.values()].flatMap(({ choices }) => (choices ?? []).map(String)),
      };
    }),
  );
}

const help: WordOption = { name: '--help', short: '-h', meaning: 'Show help', takes: 'switch', choices: [] };

function optionOf(name: string, { alias, describe, type, choices }: Options): WordOption {
  const short = [alias ?? []].flat().find((each) => each.length === 1);
  const kind = NAME_KINDS.find((each) => each === name);
  return {
    name: `--${name}`,
    short: short === undefined ? undefined : `-${short}`,
    meaning: String(describe ?? ''),
    takes: type === 'boolean' || COMMON.includes(name) ? 'switch' : (kind ?? 'value'),
    choices: (choices ?? []).map(String),
  };
}
