import { CHUNK_ID_SHIFT, PAGES_PER_CHUNK } from './page-id.ts';

// One word per page: its state in the top two bits, a value that depends on the state below. Source: GMMR0.cpp,
// GMMPAGE.
const PRIVATE = 0;
const SHARED = 1;
const FREE = 3;
const STATE_SHIFT = 30;
const VALUE_MASK = 0x3fff_ffff;
/** Bit of a free page: its bytes are zero already. */
const ZEROED = 1 << 10;
const NEXT_MASK = ZEROED - 1;

/** A page of the host belongs to one machine, is shared read-only, or is free. */
export type HostPageState = 'private' | 'shared' | 'free';

/** The age of a chunk that has been used since the last ageing. */
export const JUST_USED = 0;
/** The age of a chunk whose bytes are in the file only. */
export const NOT_MAPPED = -1;

const FRESH_WORDS = Uint32Array.from(
  { length: PAGES_PER_CHUNK },
  (_, index) => (FREE << STATE_SHIFT) | ZEROED | (index + 1),
);
const NO_BYTES = new Uint8Array(0);

/** 2 MiB of host memory, the unit of allocation, with a word of 4 bytes for each of its 512 pages. */
export class Chunk {
  readonly id: number;
  /** Account whose machine gets pages of this chunk first; 0 for none. */
  affinity = 0;
  /** Number of free pages. */
  freePages = PAGES_PER_CHUNK;
  sharedPages = 0;
  /** Index of its list in a ChunkSet. */
  list = -1;
  next: Chunk | undefined;
  previous: Chunk | undefined;
  /** Bytes of the chunk; empty if `age` is `NOT_MAPPED`. */
  bytes: Uint8Array = NO_BYTES;
  age = NOT_MAPPED;
  /** Number of users that have borrowed the chunk's bytes (cRefs): while there is one, the chunk stays mapped. */
  pins = 0;
  /** The chunk is being emptied, so none of its pages is allocated. */
  isLeaving = false;
  /** Whether the file holds an older copy of its bytes. */
  isInFile = false;
  readonly #words = FRESH_WORDS.slice();
  #firstFree = 0;
  #hasUsedPages = false;

  constructor(id: number) {
    this.id = id;
  }

  get isEmpty(): boolean {
    return this.freePages === PAGES_PER_CHUNK;
  }

  get usedPages(): number {
    return PAGES_PER_CHUNK - this.freePages;
  }

  mapTo(bytes: Uint8Array): void {
    this.bytes = bytes;
    this.age = JUST_USED;
  }

  unmap(): Uint8Array {
    const { bytes } = this;
    this.bytes = NO_BYTES;
    this.age = NOT_MAPPED;
    return bytes;
  }

  /** Whether no page was ever freed, so that all free ones are zero. */
  get isFresh(): boolean {
    return !this.#hasUsedPages;
  }

  /** Takes a free page; there must be one. @returns its index */
  takePage(account: number): number {
    const index = this.#firstFree;
    this.#firstFree = this.#words[index] & NEXT_MASK;
    this.#words[index] = (PRIVATE << STATE_SHIFT) | account;
    this.freePages--;
    return index;
  }

  /** Whether the next page of `takePage` is known to be zero. */
  get nextIsZeroed(): boolean {
    return (this.#words[this.#firstFree] & ZEROED) !== 0;
  }

  putBack(index: number): void {
    if (this.stateOf(index) === 'shared') this.sharedPages--;
    this.#words[index] = (FREE << STATE_SHIFT) | this.#firstFree;
    this.#firstFree = index;
    this.#hasUsedPages = true;
    this.freePages++;
  }

  stateOf(index: number): HostPageState {
    const state = this.#words[index] >>> STATE_SHIFT;
    if (state === FREE) return 'free';
    return state === SHARED ? 'shared' : 'private';
  }

  /** Account of a private page; number of references to a shared one. */
  valueOf(index: number): number {
    return this.#words[index] & VALUE_MASK;
  }

  setShared(index: number, references: number): void {
    if (this.stateOf(index) !== 'shared') this.sharedPages++;
    this.#words[index] = ((SHARED << STATE_SHIFT) | references) >>> 0;
  }

  /** Pages of `account`, as page IDs. */
  *privatePagesOf(account: number): Generator<number> {
    for (let index = 0; index < PAGES_PER_CHUNK; index++) {
      if (this.stateOf(index) === 'private' && this.valueOf(index) === account)
        yield (this.id << CHUNK_ID_SHIFT) | index;
    }
  }
}
