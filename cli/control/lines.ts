import type { Readable } from 'node:stream';
import * as lines from '../../formats/binary/lines.ts';

/**
 * The whole lines of a socket, which stays open after a line that is too long, so that the client can be told.
 * @throws FormatError `too-long` beyond `limit` bytes
 */
export function linesOf(stream: Readable, limit: number): AsyncGenerator<string> {
  return lines.linesOf(stream.iterator({ destroyOnReturn: false }), limit, 'drop');
}
