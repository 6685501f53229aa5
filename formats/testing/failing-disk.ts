import { EnvironmentError } from '../errors.ts';
import type { Stretch } from '../files/readable-parts.ts';
import { type ByteSource, bufferSource } from '../files/source.ts';

/** A disk that does not give some bytes: as systems do, it gives what stands before them in a read of its own. */
export function failingDisk(bytes: Uint8Array, lost: readonly Stretch[]): { source: ByteSource; fails: () => number } {
  const good = bufferSource(bytes, 'disk');
  let fails = 0;
  const read: ByteSource['read'] = async (target, position) => {
    if (!lost.some(({ start, end }) => start < position + target.length && end > position))
      return good.read(target, position);
    fails++;
    throw new EnvironmentError('EIO', 'Cannot read disk');
  };
  return { source: { ...good, read }, fails: () => fails };
}
