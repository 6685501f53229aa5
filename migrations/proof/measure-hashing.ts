import { clock } from '../../formats/world/waiting.ts';
import type { PageAccess } from '../machine/machine.ts';
import { MemoryHasher } from './memory-hasher.ts';

/** Pages hashed to measure the speed: about 5 ms. */
const SAMPLE = 2048;
/**
 * Factor for all pages: unlike the measured ones they are not in the cache, and the other side, which hashes at the
 * same time, may be slower.
 */
const MARGIN = 2;

/** Time to hash a page that is not zeros, in ms, under the present load of the processor. */
export async function measureHashing(machine: PageAccess, pageCount: number): Promise<number> {
  const start = clock();
  let hashed = 0;
  await new MemoryHasher(machine).hashAll(Math.min(pageCount, SAMPLE), (_page, words, i) => {
    if (words[i * 2] !== 0) hashed++;
  });
  return hashed === 0 ? 0 : ((clock() - start) / hashed) * MARGIN;
}
