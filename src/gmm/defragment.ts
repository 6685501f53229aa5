import type { Chunk } from './chunk.ts';
import type { ChunkPool } from './chunk-pool.ts';
import type { HostAccount } from './host-account.ts';
import { CHUNK_ID_SHIFT } from './page-id.ts';

/** What came of defragmenting. */
export interface DefragmentReport {
  /** Chunks given back, pages moved for it. */
  emptiedChunks: number;
  /** Pages of 4 KiB. */
  movedPages: number;
}

/** Lets the emptiest chunks go, as many as the free pages of the others have room for. */
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
