import type { Argv } from 'yargs';

/** Declares the arguments and options of a command, or some that several commands have. */
export type Builder = (argv: Argv) => Argv<object>;

/** The options of a builder in the form that the command gets: names in camel case. */
export type OptionsOf<B> = B extends (argv: Argv) => Argv<infer T>
  ? { [K in keyof T as undefined extends T[K] ? never : CamelCase<K>]: T[K] } & {
      [K in keyof T as undefined extends T[K] ? CamelCase<K> : never]?: T[K];
    }
  : never;

type CamelCase<K> = K extends `${infer First}-${infer Rest}` ? `${First}${Capitalize<CamelCase<Rest> & string>}` : K;

/** The builder and the handler of a command. */
export interface CommandParts<B> {
  builder: B;
  handler(options: OptionsOf<B>): Promise<void>;
}

/** Makes a command of a builder and a handler, whose options get their types from the builder. */
export function command<B extends Builder>(builder: B, handler: CommandParts<B>['handler']): CommandParts<B> {
  return { builder, handler };
}
