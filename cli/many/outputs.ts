import { UsageError } from '../../formats/errors.ts';
import { surplusError } from '../parsing/surplus.ts';
import type { FileOptions } from './file-command.ts';

// Outputs of commands that write one file for each input: of a single input, or `--into` a folder.

/** Checks that `command FILE -o OUTPUT` names one output. @throws UsageError */
export function expectOneOutput({ files, filesFrom, recursive, output, into }: FileOptions): void {
  if (output !== undefined && into !== undefined)
    throw new UsageError('bad-combination', '--output and --into exclude each other');
  if (into !== undefined) return;
  if (files.length > 1 || filesFrom !== undefined || recursive)
    throw new UsageError('missing-option', 'expected --into, the folder for the outputs of several files, too');
  if (output === undefined) throw new UsageError('missing-option', 'expected --output, too');
}

/** Moves the output of `command INPUT OUTPUT` from the files to its option. @throws UsageError */
export function takeOutput(options: FileOptions, usage: string): void {
  const { files, filesFrom, recursive, into } = options;
  if (into !== undefined) return;
  if (filesFrom !== undefined || recursive)
    throw new UsageError('missing-option', 'expected --into, the folder for the outputs of several files, too');
  if (files.length < 2) throw new UsageError('missing-argument', `expected ${usage}`);
  if (files.length > 2) throw surplusError(files.slice(2), `${usage}, or --into FOLDER for several states`);
  options.output = files[1];
  options.files = files.slice(0, 1);
}

/** The output of a file, set by one of the functions above, or from `--into`. */
export function outputOf({ output }: Pick<FileOptions, 'output'>): string {
  if (output === undefined) throw new UsageError('missing-option', 'expected an output, too');
  return output;
}
