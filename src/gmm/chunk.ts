import { CHUNK_ID_SHIFT, PAGES_PER_CHUNK } from './page-id.ts';

// One word per page: its state in the top two bits, what belongs to the state below. Source: GMMR0.cpp, GMMPAGE.
const PRIVATE = 0;
const SHARED = 1;
const FREE = 3;
const STATE_SHIFT = 30;
const VALUE_MASK = 0x3fff_ffff;
/** Of a free page: its bytes are zero already. */
const ZEROED = 1 << 10;
const NEXT_MASK = ZEROED - 1;

/** Who may write a page of the host: one machine, none, nobody yet. */
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

/**
 * 2 MiB of host memory, the unit in which it is got and given back, and what is known of its 512 pages: 4 bytes for
 * each.
 */
export class Chunk {
  readonly id: number;
  /** Account of the machine that it is dealt out to first; 0 = none. */
  affinity = 0;
  /** Pages that are free, and that are shared. */
  freePages = PAGES_PER_CHUNK;
  sharedPages = 0;
  /** Place in a ChunkSet. */
  list = -1;
  next: Chunk | undefined;
  previous: Chunk | undefined;
  /** Its bytes; empty when `age` is `NOT_MAPPED`. */
  bytes: Uint8Array = NO_BYTES;
  age = NOT_MAPPED;
  /** Users whose borrowed bytes must stay valid (cRefs): it is not unmapped meanwhile. */
  pins = 0;
  /** Is it being emptied? Then no page of it is dealt out. */
  isLeaving = false;
  /** Has the file older bytes of it? */
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

  /** Was no page ever put back, so that all free ones are zero? */
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

  /** Are the bytes of the page that `takePage` gives next known to be zero? */
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

  /** Account of a private page, references of a shared one. */
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
