import { PAGE_SIZE } from '../../formats/units.ts';
import { pgmError } from './pgm-errors.ts';

/** A chunk of host memory: 2 MiB. */
export const CHUNK_PAGES = 512;
export const CHUNK_SIZE = CHUNK_PAGES * PAGE_SIZE;
/** Page id = chunk id × 512 + index; chunk 0 does not exist. */
export const CHUNK_SHIFT = 9;
export const CHUNK_INDEX_MASK = CHUNK_PAGES - 1;
export const LAST_PAGE_ID = 0x0fff_ffff;

/** What pages are taken for: RAM and ROM; page tables that the host keeps; device memory. */
export type PageAccount = 'base' | 'shadow' | 'fixed';

/**
 * The host's memory as one machine sees it. A page is known by its id; its bytes are
 * `chunkBytes(id)[pageAt(id), pageAt(id) + 4096)`.
 */
export interface PageBacking {
  /** The whole chunk that holds a page; borrowed until the next call. */
  chunkBytes(id: number): Uint8Array;
  /**
   * A private page of zeros for the page at `gcPhys` (account base).
   * @throws EnvironmentError VERR_EM_NO_MEMORY
   */
  takePage(gcPhys: number): number;
  /** Fills `into` with ids of private pages of zeros. @throws EnvironmentError VERR_EM_NO_MEMORY, and then none is taken */
  allocatePages(account: PageAccount, into: Uint32Array): void;
  /** The first id of 512 neighbouring pages of zeros that fill a chunk; `NIL_PAGE_ID` where the host has no such chunk. */
  takeLargePage(gcPhys: number): number;
  /** Gives private pages back, or references to shared ones. */
  freePages(account: PageAccount, ids: Uint32Array): void;
  /** Changes by how many pages the machine may grow. */
  reserve(account: PageAccount, pages: number): void;
}

/** Where in its chunk a page begins. */
export function pageAt(id: number): number {
  return (id & CHUNK_INDEX_MASK) << 12;
}

/** Memory of this process for one machine, without limits. */
export class OwnChunks implements PageBacking {
  readonly #chunks: Uint8Array[] = [new Uint8Array(0)];
  readonly #free: number[] = [];
  #next = CHUNK_PAGES;

  chunkBytes(id: number): Uint8Array {
    return this.#chunks[id >>> CHUNK_SHIFT];
  }

  takePage(_gcPhys: number): number {
    const id = this.#free.pop();
    if (id === undefined) return this.#takeFresh(1);
    const at = pageAt(id);
    this.chunkBytes(id).fill(0, at, at + PAGE_SIZE);
    return id;
  }

  allocatePages(_account: PageAccount, into: Uint32Array): void {
    for (let i = 0; i < into.length; i++) into[i] = this.takePage(0);
  }

  takeLargePage(_gcPhys: number): number {
    // What is left of the last chunk stays usable.
    while ((this.#next & CHUNK_INDEX_MASK) !== 0) this.#free.push(this.#next++);
    return this.#takeFresh(CHUNK_PAGES);
  }

  freePages(_account: PageAccount, ids: Uint32Array): void {
    for (const id of ids) this.#free.push(id);
  }

  reserve(_account: PageAccount, _pages: number): void {}

  #takeFresh(count: number): number {
    const id = this.#next;
    if (id + count - 1 > LAST_PAGE_ID) throw pgmError('VERR_EM_NO_MEMORY', `Cannot allocate ${count} pages: all page ids are in use`);
    if (id >>> CHUNK_SHIFT === this.#chunks.length) this.#chunks.push(newChunk());
    this.#next += count;
    return id;
  }
}

function newChunk(): Uint8Array {
  try {
    return new Uint8Array(CHUNK_SIZE);
  } catch {
    throw pgmError('VERR_EM_NO_MEMORY', `Cannot allocate a chunk of ${CHUNK_SIZE} bytes: the host has no memory`);
  }
}
