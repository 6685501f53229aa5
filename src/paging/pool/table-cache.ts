import { FREE_KIND, type PoolKind } from './kinds.ts';
import { FIRST_INDEX, NIL_INDEX } from './pool-pages.ts';

const BUCKETS = 64;

/** Knows the guest table that each table of a pool shadows, and finds cached tables. */
export class TableCache {
  /** Number of the kind, by table. */
  readonly kind: Uint8Array;
  /** Guest-physical address that a table shadows; see `PoolKind`. */
  readonly key: Float64Array;
  /** Distinguishes tables of one key and kind with different rules or rights. */
  readonly #tag: Uint16Array;
  readonly #cached: Uint8Array;
  readonly #buckets: number[][] = Array.from({ length: BUCKETS }, () => []);

  /** @param size one more than the last index */
  constructor(size: number) {
    this.kind = new Uint8Array(size).fill(FREE_KIND, FIRST_INDEX);
    this.key = new Float64Array(size);
    this.#tag = new Uint16Array(size);
    this.#cached = new Uint8Array(size);
  }

  isCached(index: number): boolean {
    return this.#cached[index] === 1;
  }

  /** The cached table of a kind for an address; `NIL_INDEX` where there is none. */
  find(kind: PoolKind, key: number, tag: number): number {
    for (const index of this.#bucketOf(key)) {
      if (this.key[index] === key && this.kind[index] === kind.number && this.#tag[index] === tag) return index;
    }
    return NIL_INDEX;
  }

  /** Cached tables for an address, of any kind; a copy, as some may be removed meanwhile. */
  tablesFor(key: number): number[] {
    return this.#bucketOf(key).filter((index) => this.key[index] === key);
  }

  /** Enters a table that is in use now. @param cached whether it can be found again */
  add(index: number, tag: number, cached: boolean): void {
    this.#tag[index] = tag;
    this.#cached[index] = cached ? 1 : 0;
    if (cached) this.#bucketOf(this.key[index]).push(index);
  }

  /** Removes a table that is no longer in use. */
  remove(index: number): void {
    const bucket = this.#bucketOf(this.key[index]);
    if (this.isCached(index)) bucket.splice(bucket.indexOf(index), 1);
    this.kind[index] = FREE_KIND;
  }

  #bucketOf(key: number): number[] {
    return this.#buckets[Math.floor(key / 4096) % BUCKETS];
  }
}
