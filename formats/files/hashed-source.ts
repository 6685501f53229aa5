import { createHash } from 'node:crypto';
import { InterruptedError } from '../errors.ts';
import { MIB } from '../sizes.ts';
import { type ByteSource, readFrom, withBeside } from './source.ts';

export interface HashSteps {
  signal?: AbortSignal;
  /** Called after each MiB with the bytes hashed so far. */
  onProgress?: (done: number) => void;
}

/** A source that hashes its bytes as they are read for another purpose, so that a file is read once for both. */
export interface HashedSource extends ByteSource {
  /**
   * SHA-256 of all bytes of the source, hexadecimal. Reads the bytes that were not read yet; to be called last.
   * @throws InterruptedError
   */
  sha256(steps?: HashSteps): Promise<string>;
}

/** Bytes count once and in order, wherever and however often they are read. */
export function hashedSource(source: ByteSource): HashedSource {
  const hash = createHash('sha256');
  /** All before this offset is hashed. */
  let hashed = 0;
  const read = async (target: Uint8Array, position: number): Promise<number> => {
    const count = await readFrom(source, target, position);
    if (position <= hashed && position + count > hashed) {
      hash.update(target.subarray(hashed - position, count));
      hashed = position + count;
    }
    return count;
  };
  return {
    // No descriptor: bytes that other threads read would not be hashed.
    ...withBeside(source, {}),
    fd: undefined,
    read,
    async sha256({ signal, onProgress } = {}) {
      const piece = new Uint8Array(MIB);
      while ((await read(piece, hashed)) > 0) {
        if (signal?.aborted) throw new InterruptedError();
        onProgress?.(hashed);
      }
      return hash.digest('hex');
    },
  };
}
