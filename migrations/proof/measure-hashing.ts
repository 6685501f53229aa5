import { clock } from '../../formats/world/waiting.ts';
import type { PageAccess } from '../machine/machine.ts';
import { MemoryHasher } from './memory-hasher.ts';

/** Pages hashed to see how fast that goes: about 5 ms. */
const SAMPLE = 2048;
/**
 * These pages are in the cache, the others will not be; and the other side, which hashes them at the same time, may be
 * the slower one.
 */
const MARGIN = 2;

/** Time to hash a page that is not zeros, in ms, as of now: what else the processor has to do counts, too. */
export async function measureHashing(machine: PageAccess, pageCount: number): Promise<number> {
  const start = clock();
  let hashed = 0;
  await new MemoryHasher(machine).hashAll(Math.min(pageCount, SAMPLE), (_page, words, i) => {
    if (words[i * 2] !== 0) hashed++;
  });
  return hashed === 0 ? 0 : ((clock() - start) / hashed) * MARGIN;
}
