import { createReadStream } from 'node:fs';
import { EnvironmentError } from '../../formats/errors.ts';
import { MIB } from '../../formats/sizes.ts';

// A list of SHA-256, one file a line, as `sha256sum --check` reads it.

/** A file, and the SHA-256 of its bytes as they are stored, packed or not. */
export interface HashedFile {
  path: string;
  /** The snapshot in it that was read. */
  part?: string | undefined;
  sha256: string;
}

/** Makes the line of a file: a name with a line break or a backslash is escaped, and a backslash marks the line. */
export function sumLine({ path, sha256 }: HashedFile): string {
  const escaped = path.replace(/[\\\n\r]/g, (letter) => ({ '\n': '\\n', '\r': '\\r' })[letter] ?? '\\\\');
  return `${escaped === path ? '' : '\\'}${sha256}  ${escaped}\n`;
}

const LEADING_SUM = /^(\\?)[0-9a-f]{64}/;
/** Bytes: no path is longer, however it is escaped. */
const LONGEST_LINE = MIB;

/**
 * Refuses a file that is in the list: if it were made again, it would have two sums, one of them wrong.
 * Holds a piece of the list at a time, as the list grows with the number of files. @throws EnvironmentError `EEXIST`
 */
export async function expectUnlisted(list: string, output: string): Promise<void> {
  const wanted = sumLine({ path: output, sha256: '' });
  const bytes = Buffer.from(wanted.replace(/^\\/, ''));
  const isIn = (piece: Buffer) =>
    piece.includes(bytes) &&
    piece
      .toString()
      .split('\n')
      .some((line) => `${line.replace(LEADING_SUM, '$1')}\n` === wanted);
  for await (const piece of wholeLinesOf(list))
    if (isIn(piece))
      throw new EnvironmentError('EEXIST', `Cannot append to ${list}: it has a sum of an older ${output}`);
}

/** Content of a file, in pieces of whole lines; ends early where the file can't be read. */
async function* wholeLinesOf(path: string): AsyncGenerator<Buffer> {
  let rest = Buffer.alloc(0);
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: MIB }) as AsyncIterable<Buffer>) {
      const all = Buffer.concat([rest, chunk]);
      const end = all.lastIndexOf('\n') + 1;
      yield all.subarray(0, end);
      rest = all.subarray(all.length - end > LONGEST_LINE ? all.length : end);
    }
  } catch {
    // Appending to the list will report the error.
  }
  yield Buffer.concat([rest, Buffer.from('\n')]);
}
