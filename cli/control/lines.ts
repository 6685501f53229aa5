import type { Readable } from 'node:stream';
import { FormatError } from '../../formats/errors.ts';

const NEWLINE = 0x0a;

/** The lines of a stream, as text; what follows the last newline is dropped. @throws FormatError `too-long` beyond `limit` bytes, before they are kept */
export async function* linesOf(stream: Readable, limit: number): AsyncGenerator<string> {
  const pieces: Buffer[] = [];
  let size = 0;
  const keep = (piece: Buffer) => {
    size += piece.length;
    if (size > limit) throw new FormatError('too-long', `Cannot read line: it has more than ${limit} bytes`);
    pieces.push(piece);
  };
  // Whoever reads lines that are too long may still want to answer.
  for await (const chunk of stream.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    let from = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, from)) {
      keep(chunk.subarray(from, end));
      yield Buffer.concat(pieces.splice(0)).toString('utf8');
      size = 0;
      from = end + 1;
    }
    if (from < chunk.length) keep(chunk.subarray(from));
  }
}
