import type { Builder, OptionsOf } from '../parsing/options-of.ts';
import type { Job, Outcome, ThreadOptions } from '../process/run-command.ts';
import type { IntoOptions, ManyOptions } from './options.ts';

/** Options of a command that takes any number of files. */
export type FileOptions = ManyOptions & Partial<IntoOptions & ThreadOptions> & { files: string[]; output?: string };

/** Options of such a command, with the options of its builder. */
export type FileOptionsOf<B> = OptionsOf<B> & FileOptions;

/** A command that does the same to each of its files. */
export interface FileCommand<T extends FileOptions = FileOptions> {
  name: string;
  builder: Builder;
  handler(options: T): Promise<void>;
  /** Works on one file. With `--into`, `output` in the options is the output for this file. */
  perFile(job: Job, options: T): Promise<Outcome>;
  /**
   * Ending that outputs in the folder of `--into` get, such as `.manifest`; absent where they keep the name of their
   * input.
   */
  extension?(options: T): string;
}
