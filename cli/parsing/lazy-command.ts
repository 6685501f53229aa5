import type { Argv, CommandModule } from 'yargs';

/** A command whose file is loaded on demand: loading takes most of the time of short commands. */
export interface LazyCommand {
  /** Usage for people: `diff <a> <b>`. */
  command: string;
  /** Usage for the parser, if options replace arguments, or allow more of them: `diff [files..]`. */
  words?: string;
  describe: string;
  load(): Promise<LoadedCommand>;
}

interface LoadedCommand {
  builder?: unknown;
  handler(options: never): void | Promise<void>;
}

/** Thrown by commands once they run, since yargs would else lay out their whole help text for nothing. */
export const BEGUN = Symbol('begun');

/**
 * Declares commands to yargs: the command with which `words` begin, else the names of all.
 * @param onOptions called when the command's options are declared, before they are parsed
 * @returns the declarations; `end` resolves when the command that runs has ended
 */
export async function loadCommands(
  commands: readonly LazyCommand[],
  words: readonly string[],
  onOptions: (command: string, argv: Argv) => void,
): Promise<{ modules: CommandModule[]; end(): Promise<void> }> {
  let running: void | Promise<void>;
  const modules: CommandModule[] = [];
  const named = commands.filter(({ command }) => command.split(' ')[0] === words[0]);
  for (const { command, words: parsed = command, describe, load } of named.length > 0 ? named : commands) {
    const loaded = named.length > 0 ? await load() : undefined;
    modules.push({
      command: loaded ? parsed : command,
      describe,
      ...(loaded
        ? {
            builder: (argv: Argv) =>
              withOptions(loaded, parsed === command ? argv : argv.usage(`$0 ${command}\n\n${describe}`), (built) =>
                onOptions(parsed, built),
              ),
          }
        : {}),
      handler: (options) => {
        running = loaded?.handler(options as never);
        throw BEGUN;
      },
    });
  }
  return { modules, end: async () => running };
}

function withOptions({ builder }: LoadedCommand, argv: Argv, onOptions: (argv: Argv) => void): Argv {
  const built = (builder as (argv: Argv) => Argv)(argv);
  onOptions(built);
  return built;
}
