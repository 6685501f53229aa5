import type { Readable } from 'node:stream';
import { FormatError } from '../../formats/errors.ts';

const NEWLINE = 0x0a;

/** The lines of a stream, as text; what follows the last newline is dropped. @throws FormatError `too-long` beyond `limit` bytes, before they are kept */
export async function* linesOf(stream: Readable, limit: number): AsyncGenerator<string> {
  let rest: Buffer = Buffer.alloc(0);
  // Whoever reads lines that are too long may still want to answer.
  for await (const chunk of stream.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    let from = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, from)) {
      if (rest.length + end - from > limit) throw tooLong(limit);
      yield Buffer.concat([rest, chunk.subarray(from, end)]).toString('utf8');
      rest = Buffer.alloc(0);
      from = end + 1;
    }
    if (rest.length + chunk.length - from > limit) throw tooLong(limit);
    rest = Buffer.concat([rest, chunk.subarray(from)]);
  }
}

function tooLong(limit: number): FormatError {
  return new FormatError('too-long', `Cannot read line: it has more than ${limit} bytes`);
}
