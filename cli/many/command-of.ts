import { UsageError } from '../../formats/errors.ts';
import type { Builder } from '../parsing/options-of.ts';
import type { FileCommand, FileOptionsOf } from './file-command.ts';
import { checkManyOptions } from './options.ts';
import { runFiles } from './run-files.ts';

/** Declaration of a command that works on any number of files. */
export interface FileCommandParts<B extends Builder>
  extends Pick<FileCommand<FileOptionsOf<B>>, 'name' | 'perFile' | 'extension'> {
  /** Arguments, for the message when they are missing. */
  usage: string;
  builder: B;
  /** Turns the parsed options into those that `perFile` expects. @throws UsageError */
  settle?(options: FileOptionsOf<B>): void;
}

/** A command that does the same to each of its files. */
export function fileCommand<B extends Builder>(parts: FileCommandParts<B>): FileCommand<FileOptionsOf<B>> {
  const { settle, usage, ...rest } = parts;
  const command: FileCommand<FileOptionsOf<B>> = {
    ...rest,
    handler: async (options) => {
      checkManyOptions(options);
      if (options.files.length === 0 && options.filesFrom === undefined)
        throw new UsageError('missing-argument', `expected savkit ${parts.name} ${usage}`);
      settle?.(options);
      process.exitCode = await runFiles(command, options);
    },
  };
  return command;
}
