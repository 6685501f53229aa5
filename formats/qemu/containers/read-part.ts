import { hex } from '../../errors.ts';
import { type ByteSource, readFrom } from '../../files/source.ts';
import { QemuFormatError } from '../qemu-error.ts';

/**
 * Bytes of a file from `position` on. @param what name of the part, for the error @param least bytes that suffice if
 * the file ends early; the rest is then zeros @throws QemuFormatError `truncated`
 */
export async function readPart(
  source: ByteSource,
  position: number,
  length: number,
  what: string,
  least = length,
): Promise<Uint8Array<ArrayBuffer>> {
  // No memory is taken for bytes that only a head claims.
  const there = Math.max(0, (source.size ?? Number.POSITIVE_INFINITY) - position);
  if (there < least) throw truncated(what, position + there);
  const bytes = new Uint8Array(length);
  const count = await readFrom(source, bytes, position);
  if (count >= least) return bytes;
  throw truncated(what, position + count);
}

function truncated(what: string, end: number): QemuFormatError {
  return new QemuFormatError('truncated', `Cannot read ${what}: the file ends at ${hex(end)}`, { offset: end });
}
