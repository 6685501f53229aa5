import type { CommandModule } from 'yargs';
import type { Job, Outcome, ThreadOptions } from '../process/run-command.ts';
import type { IntoOptions, ManyOptions } from './options.ts';

/** Options of a command that takes any number of files. */
export interface FileOptions extends ManyOptions, IntoOptions, ThreadOptions {
  files: string[];
}

/** A command that does the same to each of its files. */
export interface FileCommand<T extends FileOptions = FileOptions> extends CommandModule<object, T> {
  name: string;
  /** What is done to one file. With `--into`, `output` in the options is the file's own. */
  perFile(job: Job, options: T): Promise<Outcome>;
  /** Of outputs in the folder of `--into`: `.manifest`; none where they keep the name of their input. */
  extension?(options: T): string;
}
