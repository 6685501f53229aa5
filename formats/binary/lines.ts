import { FormatError } from '../errors.ts';

const NEWLINE = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/**
 * The lines of a stream of bytes, as text, without their ends. Never holds more than a line and a chunk.
 * @param limit bytes of a line @param last whether text after the last newline counts as a line; else it is dropped as
 * an unfinished one
 * @throws FormatError `too-long` for a longer line, before it is kept
 */
export async function* linesOf(
  chunks: AsyncIterable<Uint8Array>,
  limit: number,
  last: 'keep' | 'drop' = 'keep',
): AsyncGenerator<string> {
  /** Pieces of the current line. */
  let pieces: Uint8Array[] = [];
  let size = 0;
  const add = (piece: Uint8Array) => {
    size += piece.length;
    if (size > limit) throw new FormatError('too-long', `Cannot read line: it has more than ${limit} bytes`);
    pieces.push(piece);
  };
  const finish = () => {
    const bytes = Buffer.concat(pieces);
    pieces = [];
    size = 0;
    return bytes.subarray(0, bytes.length - (bytes.at(-1) === CARRIAGE_RETURN ? 1 : 0)).toString('utf8');
  };
  for await (const chunk of chunks) {
    let from = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, from)) {
      add(chunk.subarray(from, end));
      yield finish();
      from = end + 1;
    }
    // The source may use the chunk's memory again.
    if (from < chunk.length) add(Buffer.from(chunk.subarray(from)));
  }
  if (last === 'keep' && size > 0) yield finish();
}
