import { createHash } from 'node:crypto';
import { lstatSync, statSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname, join, normalize, resolve, sep } from 'node:path';
import { EnvironmentError, UsageError } from '../../formats/errors.ts';
import type { FileCommand, FileOptions } from './file-command.ts';

const PACKED = /\.(gz|xz|zst|zstd|bz2|lzo)$/i;
const PRIVATE_FOLDER = 0o700;

/**
 * The outputs of one run. Two files such as `x` and `../x` would get the same output, and the second would replace the
 * first.
 */
export class OwnOutputs {
  /** The file of each output; both as short hashes, since all are kept. */
  readonly #taken = new Map<number, number>();

  /** @throws UsageError `already-exists` */
  take(output: string, file: string): void {
    const [at, whose] = [numberOf(output), numberOf(identityOf(file))];
    if ((this.#taken.get(at) ?? whose) !== whose)
      throw new UsageError(
        'already-exists',
        `Cannot write ${output} for ${file}: it is the output of another file of this run; use a folder of its own`,
      );
    this.#taken.set(at, whose);
  }
}

/** Identity of the file that a name leads to: where `link` leads elsewhere, `link/../x` is not `x`. */
function identityOf(file: string): string {
  try {
    const { dev, ino } = statSync(file, { bigint: true });
    return `${dev} ${ino}`;
  } catch {
    // The name is an address, or leads to no file that can be opened; opening will tell why.
    return resolve(file);
  }
}

function numberOf(text: string): number {
  return createHash('sha256').update(text).digest().readUIntBE(0, 6);
}

/**
 * Path of a file's output in the folder of `--into`, by the path of the file. Makes missing folders.
 * @throws UsageError for stdin, which has no path; EnvironmentError, `ELOOP` for a link in the folder
 */
export async function placeInto<T extends FileOptions>(
  into: string,
  file: string,
  command: FileCommand<T>,
  options: T,
): Promise<string> {
  if (file === '-') throw new UsageError('bad-combination', 'stdin has no name for its output in --into: use a file');
  // Nothing may lead out of the folder, as with tar.
  const path = normalize(file)
    .split(sep)
    .filter((part) => part !== '..' && part !== '.' && part !== '')
    .map((part) => part.replace(/^([A-Za-z]):$/, '$1'))
    .join(sep);
  // The ending is kept, since another file may have the name without it.
  const extension = command.extension?.(options) ?? (PACKED.test(path) ? '.sav' : '');
  const output = join(into, `${path}${extension}`);
  refuseLinks(into, `${path}${extension}`.split(sep));
  await mkdir(dirname(output), { recursive: true, mode: PRIVATE_FOLDER }).catch((error) => {
    throw EnvironmentError.from(error, `make the folder ${dirname(output)}`);
  });
  return output;
}

/** Refuses links below the folder: whoever makes one would choose where outputs go, and which files they replace. */
function refuseLinks(into: string, parts: readonly string[]): void {
  let at = into;
  for (const part of parts) {
    at = join(at, part);
    const there = lstatSync(at, { throwIfNoEntry: false });
    if (!there) return;
    if (there.isSymbolicLink())
      throw new EnvironmentError('ELOOP', `Cannot write below ${at}: it is a link, which may lead out of ${into}`);
  }
}
