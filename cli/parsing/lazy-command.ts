import type { Argv, CommandModule } from 'yargs';

/** A command, whose file is loaded when it is asked for: loading is most of what short commands take. */
export interface LazyCommand {
  /** As people see it: `diff <a> <b>`. */
  command: string;
  /** As it is parsed, where options take the place of arguments, or allow more of them: `diff [files..]`. */
  words?: string;
  describe: string;
  load(): Promise<LoadedCommand>;
}

interface LoadedCommand {
  builder?: unknown;
  handler(options: never): void | Promise<void>;
}

/**
 * What yargs gets to know: the command that `words` begin with, or without one all of them, by name only; and the end
 * of the one that runs.
 * @param onOptions called when the options of the one that runs are known, before they are read
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
