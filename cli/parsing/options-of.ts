import type { Argv } from 'yargs';

/** Declares the arguments and options of a command, or some that several commands have. */
export type Builder = (argv: Argv) => Argv<object>;

/** Options that a builder declares, as its command gets them: names in camel case. */
export type OptionsOf<B> = B extends (argv: Argv) => Argv<infer T>
  ? { [K in keyof T as undefined extends T[K] ? never : CamelCase<K>]: T[K] } & {
      [K in keyof T as undefined extends T[K] ? CamelCase<K> : never]?: T[K];
    }
  : never;

type CamelCase<K> = K extends `${infer First}-${infer Rest}` ? `${First}${Capitalize<CamelCase<Rest> & string>}` : K;

/** A command that is loaded when it is asked for. */
export interface CommandParts<B> {
  builder: B;
  handler(options: OptionsOf<B>): Promise<void>;
}

/** Puts a command together, with the types of its options from its builder. */
export function command<B extends Builder>(builder: B, handler: CommandParts<B>['handler']): CommandParts<B> {
  return { builder, handler };
}
