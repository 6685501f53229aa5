import { openSync, readSync } from 'node:fs';
import { MIB } from '../../formats/sizes.ts';
import { alignedBuffer } from './aligned-buffer.ts';

/** Reads into one place, of which the fastest counts. */
const READS = 32;
const UNLUCKY = 16;
/** Factor by which reading may be faster at another place of the buffer by accident. */
const TOLERANCE = 1.5;

/** Milliseconds for a MiB, at an offset of the buffer. */
function readMs(file: number, buffer: Uint8Array, offset: number): number {
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i < READS; i++) {
    const start = performance.now();
    readSync(file, buffer, offset, MIB, 0);
    best = Math.min(best, performance.now() - start);
  }
  return best;
}

/**
 * Measures how much slower this host reads into a badly aligned buffer. @throws if the references read into such a
 * buffer
 */
export function checkAlignment(path: string): string {
  const file = openSync(path, 'r');
  const buffer = alignedBuffer(2 * MIB);
  const [aligned, unlucky, other] = [0, UNLUCKY, MIB / 2].map((offset) => readMs(file, buffer, offset));
  if (aligned > TOLERANCE * Math.min(unlucky, other))
    throw new Error('The buffer that references read into is not aligned');
  return `reads into a badly aligned buffer take ${(unlucky / aligned).toFixed(2)} × as long; references do not`;
}
