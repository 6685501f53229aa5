import type { Chunk } from './chunk.ts';
import type { ChunkPool } from './chunk-pool.ts';
import type { HostAccount } from './host-account.ts';
import { CHUNK_ID_SHIFT } from './page-id.ts';

/** Result of defragmenting. */
export interface DefragmentReport {
  /** Chunks that were given back. */
  emptiedChunks: number;
  /** Pages of 4 KiB. */
  movedPages: number;
}

/** Empties the chunks with the fewest used pages, as many as fit into the free pages of the others. */
export function defragment(pool: ChunkPool, accounts: Iterable<HostAccount>, mostUsedPages: number): DefragmentReport {
  pool.trim();
  const leaving = chooseLeaving(pool, mostUsedPages);
  const usedBefore = used(leaving.values());
  for (const chunk of leaving.values()) pool.beginLeaving(chunk);
  try {
    if (leaving.size > 0)
      for (const account of accounts) account.moveOut?.((pageId) => leaving.has(pageId >>> CHUNK_ID_SHIFT));
  } finally {
    for (const chunk of leaving.values()) if (!chunk.isEmpty) pool.endLeaving(chunk);
  }
  const emptiedChunks = [...leaving.values()].filter(({ isEmpty }) => isEmpty).length;
  return { emptiedChunks, movedPages: usedBefore - used(leaving.values()) };
}

function chooseLeaving(pool: ChunkPool, mostUsedPages: number): Map<number, Chunk> {
  const leaving = new Map<number, Chunk>();
  let room = pool.freePages;
  let toMove = 0;
  for (const chunk of pool.private.emptiestFirst()) {
    if (chunk.usedPages > mostUsedPages || chunk.pins > 0) continue;
    room -= chunk.freePages;
    toMove += chunk.usedPages;
    if (toMove > room) break;
    leaving.set(chunk.id, chunk);
  }
  return leaving;
}

function used(chunks: Iterable<Chunk>): number {
  let pages = 0;
  for (const chunk of chunks) pages += chunk.usedPages;
  return pages;
}
