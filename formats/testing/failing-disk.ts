import { EnvironmentError } from '../errors.ts';
import type { Stretch } from '../files/readable-parts.ts';
import { type ByteSource, bufferSource } from '../files/source.ts';

/** A disk with bad bytes: a read that touches them fails; one that ends before them does not. */
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
