import { mkdir } from 'node:fs/promises';
import { dirname, join, normalize, sep } from 'node:path';
import { EnvironmentError, UsageError } from '../../formats/errors.ts';
import type { FileCommand, FileOptions } from './file-command.ts';

const PACKED = /\.(gz|xz|zst|zstd|bz2|lzo)$/i;
const PRIVATE_FOLDER = 0o700;

/**
 * Where the output of a file goes in the folder of `--into`: under the path of the file, so that no two get the same
 * one. The folder on the way is made.
 * @throws UsageError for stdin, which has no path; EnvironmentError
 */
export async function placeInto<T extends FileOptions>(
  into: string,
  file: string,
  command: FileCommand<T>,
  options: T,
): Promise<string> {
  if (file === '-') throw new UsageError('bad-combination', 'stdin has no name for its output in --into: use a file');
  // As tar does it: nothing may lead out of the folder.
  const path = normalize(file)
    .split(sep)
    .filter((part) => part !== '..' && part !== '.' && part !== '')
    .map((part) => part.replace(/^([A-Za-z]):$/, '$1'))
    .join(sep);
  // Not the name without its ending: another file may have that.
  const extension = command.extension?.(options) ?? (PACKED.test(path) ? '.sav' : '');
  const output = join(into, `${path}${extension}`);
  await mkdir(dirname(output), { recursive: true, mode: PRIVATE_FOLDER }).catch((error) => {
    throw EnvironmentError.from(error, `make the folder ${dirname(output)}`);
  });
  return output;
}
