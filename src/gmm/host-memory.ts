import { PAGE_SIZE } from '../../formats/sizes.ts';
import type { Chunk, HostPageState } from './chunk.ts';
import { AllMapped } from './chunk-mapper.ts';
import { ChunkPool } from './chunk-pool.ts';
import { type DefragmentReport, defragment } from './defragment.ts';
import { HostAccount } from './host-account.ts';
import { HostMemoryError } from './host-memory-error.ts';
import { HostTotals } from './host-totals.ts';
import { MappingCache } from './mapping-cache.ts';
import { CHUNK_ID_SHIFT, PAGE_INDEX_MASK, PAGES_PER_CHUNK } from './page-id.ts';

/** Options of a host's memory. */
export interface HostMemoryOptions {
  /** Pages that all machines together may have. */
  maxPages?: number;
  /** Maximum number of chunks of 2 MiB in memory, at least 2; the others are in a file. */
  maxMappedChunks?: number;
  /**
   * Folder of that file, by default the system's for temporary files. A folder in memory, as /tmp on some systems,
   * would save no memory.
   */
  folder?: string;
  /** Machines bring their chunks themselves (`seedChunk`). */
  seeded?: boolean;
}

/** Figures of a host's memory, in pages except where the name says otherwise. */
export interface HostMemoryFigures {
  /** Chunks of 2 MiB. */
  chunks: number;
  /** Chunks in memory; the others are in the file. */
  mappedChunks: number;
  /** Maximum number of chunks in memory at a time. */
  maxMappedChunks: number;
  /** Number of times that a chunk had to be fetched from the file. */
  mappingMisses: number;
  /** Bytes got from the system for chunks; the system gives a page of them only when the page is touched. */
  bytes: number;
  /** Pages of chunks that no machine has. */
  freePages: number;
  /** Pages promised. */
  reservedPages: number;
  /** Pages promised that the host does not have. */
  overCommittedPages: number;
  /** Pages that machines have. */
  allocatedPages: number;
  /** Pages in balloons of machines. */
  balloonedPages: number;
  /** Pages that are shared, however often. */
  sharedPages: number;
  /** References to shared pages beyond each page's first: the number of pages that sharing saves. */
  duplicatePages: number;
  /** References that machines left when they ended. */
  leftBehindSharedPages: number;
}

/**
 * The memory of a host, from which the machines on it get their pages: the global memory manager (GMM). It comes in
 * chunks of 2 MiB; a page is a number, never an object. Everything here is synchronous, and each machine has a
 * `HostAccount`.
 */
export class HostMemory {
  /** Accounts of all machines on the host. */
  readonly accounts = new Set<HostAccount>();
  readonly #pool: ChunkPool;
  readonly #totals: HostTotals;
  #accountsOpened = 0;

  /** @throws HostMemoryError `invalid-parameter`; EnvironmentError if the file cannot be made in the folder */
  constructor(options: HostMemoryOptions = {}) {
    const { maxPages = 0xffff_ffff, maxMappedChunks, folder, seeded = false } = options;
    if (!(maxPages > 0) || (maxMappedChunks !== undefined && !(maxMappedChunks >= 2)))
      throw new HostMemoryError(
        'invalid-parameter',
        'Cannot create host memory: it needs at least one page, and two mapped chunks',
      );
    this.#pool = new ChunkPool(
      maxMappedChunks === undefined ? new AllMapped() : new MappingCache(maxMappedChunks, folder),
    );
    this.#pool.isBound = seeded;
    this.#totals = new HostTotals(maxPages, seeded);
  }

  /** Whether machines bring their chunks themselves; no pages are shared then. */
  get isSeeded(): boolean {
    return this.#totals.isSeeded;
  }

  /** Registers a machine. Close the account when the machine ends. */
  openAccount(): HostAccount {
    const account = new HostAccount(++this.#accountsOpened, this.#pool, this.#totals, () =>
      this.accounts.delete(account),
    );
    this.accounts.add(account);
    return account;
  }

  /**
   * The 2 MiB of the chunk that a page lies in; the page is at `offsetInChunk(pageId)`. Borrowed: with
   * `maxMappedChunks` until the next call that may map another chunk (this one, `copyPage`, allocating), otherwise
   * until the page is freed.
   * @throws HostMemoryError `page-not-found`; EnvironmentError when the file can't be read or written
   */
  chunkBytes(pageId: number): Uint8Array {
    const chunk = this.#pool.chunks[pageId >>> CHUNK_ID_SHIFT];
    return chunk?.age === 0 ? chunk.bytes : this.#map(chunk, pageId);
  }

  /**
   * Gets one more chunk ahead of need, and touches its pages: the first touch of a page costs several times as much as
   * filling it. `trim` gives unused chunks back.
   * @returns false if the host has no more chunks, or none in memory
   */
  readyChunk(): boolean {
    const { mapped, maxMapped } = this.#pool.mapper;
    if (mapped >= maxMapped) return false;
    try {
      const { bytes } = this.#pool.addChunk();
      for (let at = 0; at < bytes.length; at += PAGE_SIZE) bytes[at] = 0;
      return true;
    } catch (error) {
      if (error instanceof HostMemoryError) return false;
      throw error;
    }
  }

  /**
   * Keeps the chunk's bytes in place until `unpin`, however many others are used. @throws HostMemoryError
   * `page-not-found`
   */
  pin(pageId: number): void {
    this.#pool.knownChunkOf(pageId).pins++;
  }

  /** Ends one `pin`. @throws HostMemoryError `page-not-found` */
  unpin(pageId: number): void {
    this.#pool.knownChunkOf(pageId).pins--;
  }

  /** Copies 4096 bytes. @throws HostMemoryError `page-not-found` */
  copyPage(from: number, to: number): void {
    this.#pool.copyPage(from, to);
  }

  /** Whether two pages have the same 4096 bytes. */
  areEqual(pageId: number, otherId: number): boolean {
    return this.#pool.areEqual(pageId, otherId);
  }

  /** Whether a page is private, shared, or free; undefined if there is no such page. */
  stateOf(pageId: number): HostPageState | undefined {
    return this.#pool.chunkOf(pageId)?.stateOf(pageId & PAGE_INDEX_MASK);
  }

  /**
   * Empties chunks that are nearly empty, by asking their machines to move pages, and gives them back. Shared pages are
   * not moved, as all references to them would have to change at once, and neither are pinned chunks.
   */
  defragment(mostUsedPages = PAGES_PER_CHUNK / 8): DefragmentReport {
    return defragment(this.#pool, this.accounts, mostUsedPages);
  }

  /** Gives chunks without used pages back to the system, also chunks kept for the next allocation. */
  trim(): void {
    this.#pool.trim();
  }

  /** Limits the host to `count` more chunks, to try out a lack of memory. */
  limitChunks(count: number): void {
    this.#pool.chunksLeft = count;
  }

  /** Present figures. */
  get figures(): HostMemoryFigures {
    const { mapped, maxMapped, misses, bytes } = this.#pool.mapper;
    const { maxPages: _, isSeeded: __, ...pages } = this.#totals;
    return {
      chunks: this.#pool.chunkCount,
      mappedChunks: mapped,
      maxMappedChunks: maxMapped,
      mappingMisses: misses,
      bytes,
      freePages: this.#pool.chunkCount * PAGES_PER_CHUNK - pages.allocatedPages,
      ...pages,
    };
  }

  /** Removes the file. No page may be used any more. */
  close(): void {
    this.#pool.mapper.close();
  }

  #map(chunk: Chunk | undefined, pageId: number): Uint8Array {
    return this.#pool.mapper.map(chunk ?? this.#pool.knownChunkOf(pageId));
  }
}
