import type { Argv, Options, PositionalOptions } from 'yargs';
import type { LazyCommand } from '../parsing/lazy-command.ts';

/** A command's name, arguments, options and examples, as declared in its builder. */
export interface Declaration {
  /** Name with the positional arguments, as in the help: `verify <files..>`. */
  readonly command: string;
  readonly describe: string;
  readonly positionals: ReadonlyMap<string, PositionalOptions>;
  readonly options: ReadonlyMap<string, Options>;
  /** Calls, where `$0` stands for savkit, with their meaning. */
  readonly examples: readonly { call: string; meaning: string }[];
  /** Text of the help after the options; may be empty. */
  readonly epilogue: string;
}

/** Runs the builder of a command to get its declaration, without parsing arguments. */
export async function declarationOf({ command, describe, load }: LazyCommand): Promise<Declaration> {
  const positionals = new Map<string, PositionalOptions>();
  const options = new Map<string, Options>();
  const examples: { call: string; meaning: string }[] = [];
  const epilogues: string[] = [];
  const record: Record<string, (...given: never[]) => unknown> = {
    positional: (name: string, declared: PositionalOptions) => positionals.set(name, declared),
    option: (name: string, declared: Options) => options.set(name, declared),
    example: (call: string, meaning: string) => examples.push({ call, meaning }),
    epilogue: (text: string) => epilogues.push(text),
  };
  const argv: Argv = new Proxy({} as Argv, {
    get:
      (_, method: string) =>
      (...given: never[]) => {
        record[method]?.(...given);
        return argv;
      },
  });
  const { builder } = await load();
  if (typeof builder === 'function') builder(argv);
  return { command, describe, positionals, options, examples, epilogue: epilogues.join('\n\n') };
}
