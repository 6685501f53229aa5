import { sleep } from '../../formats/world/waiting.ts';
import type { PageAccess } from '../machine/machine.ts';
import type { PageHashes } from '../machine/page-hashes.ts';
import { PageSet } from '../machine/page-set.ts';
import { MemoryHasher } from '../proof/memory-hasher.ts';

/** Pages that are looked at between two turns of the guest. */
const AT_ONCE = 16;
const TURN_MS = 0.02;

/** Adds the pages that differ from their known hashes, as for a machine without dirty tracking. */
export async function lookThrough(machine: PageAccess, known: PageHashes, into: PageSet): Promise<void> {
  const hasher = new MemoryHasher(machine);
  for (let first = 0; first < into.pageCount; first += AT_ONCE) {
    const pages = new PageSet(into.pageCount);
    for (let page = first; page < Math.min(first + AT_ONCE, into.pageCount); page++) pages.add(page);
    hasher.hashSome(pages, (page, words, i) => {
      if (!known.is(page, words, i)) into.add(page);
    });
    await sleep(TURN_MS);
  }
}
