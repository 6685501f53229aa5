import type { Argv } from 'yargs';
import { UsageError } from '../../formats/errors.ts';
import type { FileCommand, FileOptions } from './file-command.ts';
import { checkManyOptions } from './options.ts';
import { runFiles } from './run-files.ts';

/** What a command over files says of itself. */
export interface FileCommandParts<T extends FileOptions>
  extends Pick<FileCommand<T>, 'name' | 'perFile' | 'extension'> {
  /** Its arguments, for who has left them out. */
  usage: string;
  builder: (argv: Argv) => Argv<T>;
  /** Makes of the words of the command line what `perFile` expects. @throws UsageError */
  settle?(options: T): void;
}

/** A command that does the same to each of its files. */
export function fileCommand<T extends FileOptions>({ settle, usage, ...parts }: FileCommandParts<T>): FileCommand<T> {
  const command: FileCommand<T> = {
    ...parts,
    handler: async (given) => {
      const options = given as unknown as T;
      checkManyOptions(options);
      if (options.files.length === 0 && options.filesFrom === undefined)
        throw new UsageError('missing-argument', `expected savkit ${parts.name} ${usage}`);
      settle?.(options);
      process.exitCode = await runFiles(command, options);
    },
  };
  return command;
}
