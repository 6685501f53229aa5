import { HostMemoryError } from './host-memory-error.ts';
import { CHUNK_SIZE } from './page-id.ts';

/** Maximum number of chunks in a slab. */
const LARGEST = 256;
/** Chunks of a new slab for each chunk in use. */
const GROWTH = 3;

/** Memory of several chunks in one piece. */
interface Slab {
  bytes: Uint8Array;
  /** Index of the next chunk that was never used. */
  fresh: number;
  /** Chunks that were given back. */
  free: Uint8Array[];
  used: number;
}

/**
 * Memory for chunks, allocated in slabs: the JavaScript engine collects garbage whenever some MiB have been allocated,
 * which took a fifth of the time of filling a large machine. The system backs a page only when it is touched, so slabs
 * may be large. A slab is freed with its last chunk.
 */
export class Slabs {
  readonly #slabs = new Map<ArrayBufferLike, Slab>();
  #used = 0;

  /** Bytes of all slabs, touched or not. */
  get size(): number {
    let size = 0;
    for (const { bytes } of this.#slabs.values()) size += bytes.length;
    return size;
  }

  /** Memory for a chunk. @param zeroed false: it may hold old contents. @throws HostMemoryError `no-memory` */
  take(zeroed = true): Uint8Array {
    for (const slab of this.#slabs.values()) {
      const bytes = takeFrom(slab, zeroed);
      if (!bytes) continue;
      this.#used++;
      return bytes;
    }
    this.#add();
    return this.take();
  }

  giveBack(bytes: Uint8Array): void {
    const slab = this.#slabs.get(bytes.buffer);
    if (!slab) return;
    slab.free.push(bytes);
    this.#used--;
    if (--slab.used === 0) this.#slabs.delete(bytes.buffer);
  }

  #add(): void {
    let failure: unknown;
    for (let chunks = Math.min(LARGEST, Math.max(1, this.#used * GROWTH)); chunks >= 1; chunks >>>= 1) {
      try {
        const bytes = new Uint8Array(chunks * CHUNK_SIZE);
        this.#slabs.set(bytes.buffer, { bytes, fresh: 0, free: [], used: 0 });
        return;
      } catch (error) {
        failure = error;
      }
    }
    const error = new HostMemoryError('no-memory', 'Cannot allocate chunk: the host has no memory left');
    error.cause = failure;
    throw error;
  }
}

function takeFrom(slab: Slab, zeroed: boolean): Uint8Array | undefined {
  const { bytes, fresh, free } = slab;
  const again = free.pop();
  if (!again && fresh === bytes.length) return undefined;
  slab.used++;
  if (again) return zeroed ? again.fill(0) : again;
  slab.fresh += CHUNK_SIZE;
  return bytes.subarray(fresh, fresh + CHUNK_SIZE);
}
