import { UsageError } from '../../../formats/errors.ts';
import { FREE_KIND, isReuse, KIND_BY_NUMBER, type PoolKind } from './kinds.ts';
import { FIRST_INDEX, NIL_INDEX, PoolPages } from './pool-pages.ts';
import { TableCache } from './table-cache.ts';
import { TableEntries } from './table-entries.ts';

const LAST_INDEX = 0x3fff;
/** `cMaxPages` by default. */
export const DEFAULT_POOL_PAGES = 1024;
/** Enough for the paths of some CPUs, four tables each. */
const MIN_POOL_PAGES = 16;

/** Counts of the pool's work so far. */
export interface PoolCounts {
  /** Tables made. */
  allocations: number;
  /** Tables found in the cache. */
  hits: number;
  /** Tables given up to make room. */
  evictions: number;
  /** Tables given up as their guest page became something else. */
  reuses: number;
  /** Tables that could not be had: the guest page can't be monitored, or every page of the pool is locked. */
  refusals: number;
  /** Number of times that all tables were emptied. */
  clearAll: number;
  /** Writes of the guest to tables that are watched. */
  monitoredWrites: number;
}

/** Watches guest tables for the pool. */
export interface TableWatch {
  join(key: number, index: number): boolean;
  leave(key: number, index: number): void;
}

export interface TableOptions {
  /** Tells tables of one kind and address apart. */
  tag?: number;
  /** False: no later `take` finds the table, and it is given up with its last user. */
  cached?: boolean;
  /** Whether entries have 64 bits; default: as in tables of this kind. */
  wide?: boolean;
}

/**
 * The shadow page tables of a machine, for all of its CPUs: found again by the guest table that they shadow, kept right
 * by write monitoring, given up least recently used first (paging.md 8).
 */
export class ShadowPool extends TableEntries {
  /** Present counts. */
  readonly counts: PoolCounts = {
    allocations: 0,
    hits: 0,
    evictions: 0,
    reuses: 0,
    refusals: 0,
    clearAll: 0,
    monitoredWrites: 0,
  };
  /** Tables at most. */
  readonly maxPages: number;
  /** Set when a table was taken that was there already. @internal */
  wasHit = false;

  /** @internal */
  readonly kind: Uint8Array;
  /** Guest-physical address that a table shadows; see `PoolKind`. @internal */
  readonly key: Float64Array;
  readonly #cache: TableCache;
  readonly #pages: PoolPages;
  readonly #monitor: TableWatch;

  constructor(monitor: TableWatch, maxPages = DEFAULT_POOL_PAGES, extents = maxPages * 4) {
    checkSize(maxPages);
    const size = maxPages + FIRST_INDEX;
    super(size, Math.min(extents, LAST_INDEX));
    this.#monitor = monitor;
    this.maxPages = maxPages;
    this.#cache = new TableCache(size);
    this.kind = this.#cache.kind;
    this.key = this.#cache.key;
    this.#pages = new PoolPages(size);
  }

  /**
   * The table of a kind for a guest-physical address: a cached one with its entries, or an empty one. `NIL_INDEX` where
   * there can be none. @internal
   */
  take(
    kind: PoolKind,
    key: number,
    { tag = 0, cached = true, wide = kind.format !== '32-bit' }: TableOptions = {},
  ): number {
    const found = cached ? this.#cache.find(kind, key, tag) : NIL_INDEX;
    this.wasHit = found !== NIL_INDEX;
    if (this.wasHit) {
      this.counts.hits++;
      this.touch(found);
      return found;
    }
    if (cached) this.#dropReused(kind, key);
    const index = this.#freePage();
    if (index === NIL_INDEX || !this.#begin(index, kind, key)) {
      this.counts.refusals++;
      return NIL_INDEX;
    }
    this.setWide(index, wide);
    this.#cache.add(index, tag, cached);
    this.counts.allocations++;
    return index;
  }

  /** @internal */
  kindOf(index: number): PoolKind | undefined {
    return KIND_BY_NUMBER[this.kind[index]];
  }

  /** Marks a table as just used. @internal */
  touch(index: number): void {
    this.#pages.touch(index);
  }

  /** Locks a table: the roots that CPUs use are never given up. @internal */
  lock(index: number): void {
    this.#pages.lock(index);
  }

  /** @internal */
  unlock(index: number): void {
    this.#pages.unlock(index);
    if (!this.isLocked(index) && !this.#cache.isCached(index) && this.usersOf(index).length === 0) this.free(index);
  }

  /** @internal */
  isLocked(index: number): boolean {
    return this.#pages.isLocked(index);
  }

  /**
   * Removes a table from its users, from the cache and from monitoring. Locked ones stay. @returns whether it is gone
   * @internal
   */
  free(index: number): boolean {
    if (this.isLocked(index) || index < FIRST_INDEX || this.kind[index] <= FREE_KIND) return false;
    for (const user of [...this.usersOf(index)]) this.clearSlot(Math.floor(user / 1024), user % 1024);
    // An uncached table is gone with its last user.
    if (this.kind[index] === FREE_KIND) return true;
    this.clearTable(index);
    if (this.kindOf(index)?.guest) this.#monitor.leave(this.key[index], index);
    this.#cache.remove(index);
    this.#pages.giveBack(index);
    this.generation++;
    return true;
  }

  /** All tables in use. */
  *inUse(): Iterable<number> {
    for (let index = FIRST_INDEX; index < this.#pages.end; index++) if (this.kind[index] > FREE_KIND) yield index;
  }

  /** Empties all tables that map pages; directories stay (`pgmR3PoolClearAll`). */
  clearAll(): void {
    this.counts.clearAll++;
    for (const index of this.inUse()) if (this.kindOf(index)?.holds === 'pages') this.clearTable(index);
    for (const frame of [...this.tracking.frames()]) this.tracking.forget(frame);
  }

  /** Gives all tables up but locked ones, which are emptied. */
  flushAll(): void {
    for (const index of [...this.inUse()]) if (!this.free(index)) this.clearTable(index);
    this.clearAll();
  }

  /** Clears every entry for a guest page, in all tables. @internal */
  clearFrame(frame: number): void {
    const tables = this.tracking.tablesOf(frame);
    if (tables === 'overflowed') {
      for (const index of this.inUse()) if (this.kindOf(index)?.holds === 'pages') this.#clearFrameIn(index, frame);
      this.tracking.forget(frame);
    } else for (const index of tables) this.#clearFrameIn(index, frame);
  }

  #clearFrameIn(index: number, frame: number): void {
    const slots = this.isWide(index) ? 512 : 1024;
    for (let slot = 0; slot < slots; slot++) if (this.tables.frame(index, slot) === frame) this.clearSlot(index, slot);
  }

  #begin(index: number, kind: PoolKind, key: number): boolean {
    if (kind.guest && !this.#monitor.join(key, index)) {
      this.#pages.giveBack(index);
      return false;
    }
    this.kind[index] = kind.number;
    this.key[index] = key;
    this.wipe(index);
    this.touch(index);
    return true;
  }

  /** Gives a table up that is not cached. @internal */
  protected lastUserGone(index: number): void {
    if (!this.#cache.isCached(index)) this.free(index);
  }

  /** Gives up tables of a page that the guest now uses otherwise. */
  #dropReused(kind: PoolKind, key: number): void {
    for (const index of this.#cache.tablesFor(key)) {
      const old = this.kindOf(index);
      if (old && isReuse(old, kind) && this.free(index)) this.counts.reuses++;
    }
  }

  #freePage(): number {
    const free = this.#pages.take();
    if (free !== NIL_INDEX) return free;
    const oldest = this.#pages.leastRecentlyUsed();
    if (oldest === NIL_INDEX || !this.free(oldest)) return NIL_INDEX;
    this.counts.evictions++;
    return this.#pages.take();
  }
}

function checkSize(maxPages: number): void {
  if (maxPages < MIN_POOL_PAGES || maxPages > LAST_INDEX + 1 - FIRST_INDEX) {
    throw new UsageError(
      'bad-pool-size',
      `Cannot make a pool of ${maxPages} shadow tables: expected ${MIN_POOL_PAGES} to ` +
        `${LAST_INDEX + 1 - FIRST_INDEX}`,
    );
  }
}
