import { UsageError } from '../../../formats/errors.ts';
import { P } from '../schemes.ts';
import { BackTracking } from './back-tracking.ts';
import { FREE_KIND, isReuse, KIND_BY_NUMBER, type PoolKind } from './kinds.ts';
import { FIRST_INDEX, NIL_INDEX, PoolPages } from './pool-pages.ts';
import { TableCache } from './table-cache.ts';
import { POOL_BASE_HIGH, TableStore } from './table-store.ts';

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
  /** False: is found by no later `take`, and is given up with its last user. */
  cached?: boolean;
  /** Whether entries have 64 bits; default: as in tables of this kind. */
  wide?: boolean;
}

/**
 * The shadow page tables of a machine, for all of its CPUs: found again by the guest table that they shadow, kept right
 * by write monitoring, given up least recently used first (paging.md 8).
 */
export class ShadowPool {
  /** @internal */
  readonly tables: TableStore;
  /** @internal */
  readonly tracking: BackTracking;
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
  /** Raised when an entry goes away or allows less: copies of entries elsewhere are out of date. @internal */
  generation = 0;
  /** Set when a table was taken that was there already. @internal */
  wasHit = false;

  /**
   * Called when an entry goes away that stands for a mapping of the hypervisor, or for a table with such entries.
   * @internal
   */
  onMappingWritten: (() => void) | undefined;
  /** Entries for mappings of the hypervisor: slots by table. */
  readonly #mappings = new Map<number, Set<number>>();

  /** @internal */
  readonly kind: Uint8Array;
  /** Guest-physical address that a table shadows; see `PoolKind`. @internal */
  readonly key: Float64Array;
  readonly #cache: TableCache;
  readonly #wide: Uint8Array;
  readonly #pages: PoolPages;
  /** Entries that name a table: index of their table × 1024 + slot. */
  readonly #users: number[][];
  readonly #monitor: TableWatch;

  constructor(monitor: TableWatch, maxPages = DEFAULT_POOL_PAGES, extents = maxPages * 4) {
    if (maxPages < MIN_POOL_PAGES || maxPages > LAST_INDEX + 1 - FIRST_INDEX) {
      throw new UsageError(
        'bad-pool-size',
        `Cannot make a pool of ${maxPages} shadow tables: expected ${MIN_POOL_PAGES} to ` +
          `${LAST_INDEX + 1 - FIRST_INDEX}`,
      );
    }
    const size = maxPages + FIRST_INDEX;
    this.#monitor = monitor;
    this.maxPages = maxPages;
    this.tables = new TableStore(size);
    this.tracking = new BackTracking(Math.min(extents, LAST_INDEX));
    this.#cache = new TableCache(size);
    this.kind = this.#cache.kind;
    this.key = this.#cache.key;
    this.#wide = new Uint8Array(size);
    this.#pages = new PoolPages(size);
    this.#users = Array.from({ length: size }, () => []);
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
    this.#wide[index] = wide ? 1 : 0;
    this.#cache.add(index, tag, cached);
    this.counts.allocations++;
    return index;
  }

  /** @internal */
  kindOf(index: number): PoolKind | undefined {
    return KIND_BY_NUMBER[this.kind[index]];
  }

  /** Whether entries have 64 bits. @internal */
  isWide(index: number): boolean {
    return this.#wide[index] === 1;
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
    if (!this.isLocked(index) && !this.#cache.isCached(index) && this.#users[index].length === 0) this.free(index);
  }

  /** @internal */
  isLocked(index: number): boolean {
    return this.#pages.isLocked(index);
  }

  /** Hooks a table into an entry. @internal */
  setTable(parent: number, slot: number, child: number, flags: number, highFlags = 0): void {
    const wide = this.isWide(parent);
    const low = ((child << 12) | flags) >>> 0;
    if ((this.tables.low(parent, slot, wide) & P) !== 0) this.clearSlot(parent, slot);
    this.tables.set(parent, slot, wide, low, wide ? (POOL_BASE_HIGH | highFlags) >>> 0 : 0);
    this.#users[child].push(parent * 1024 + slot);
  }

  /** Lets an entry map a guest page. @internal */
  setPage(table: number, slot: number, low: number, high: number, frame: number): void {
    const wide = this.isWide(table);
    if ((this.tables.low(table, slot, wide) & P) !== 0) this.clearSlot(table, slot);
    this.tables.set(table, slot, wide, low, high, frame);
    this.tracking.add(frame, table);
  }

  /** Puts a mapping of the hypervisor into a directory; overwrites the entry that is there. @internal */
  setMapping(table: number, slot: number, low: number, high: number): void {
    if (!this.isMapping(table, slot)) this.clearSlot(table, slot);
    this.tables.set(table, slot, this.isWide(table), low, high);
    const slots = this.#mappings.get(table) ?? new Set();
    this.#mappings.set(table, slots.add(slot));
    this.generation++;
  }

  /** Whether an entry stands for a mapping of the hypervisor, and names no table of the pool. @internal */
  isMapping(table: number, slot: number): boolean {
    return this.#mappings.get(table)?.has(slot) ?? false;
  }

  /** Entries for mappings: slots by table. @internal */
  get mappings(): ReadonlyMap<number, ReadonlySet<number>> {
    return this.#mappings;
  }

  /** Takes the entries for mappings out of all tables, or out of one. @internal */
  clearMappings(tables: Iterable<number> = [...this.#mappings.keys()]): void {
    for (const table of tables) {
      for (const slot of this.#mappings.get(table) ?? []) this.tables.clear(table, slot, this.isWide(table));
      this.#mappings.delete(table);
    }
    this.generation++;
  }

  /** The table that an entry names. @internal */
  child(parent: number, slot: number): number {
    return this.tables.low(parent, slot, this.isWide(parent)) >>> 12;
  }

  /** The table that an entry names; `NIL_INDEX` where it names none. @internal */
  childOf(parent: number, slot: number): number {
    const isThere = (this.tables.low(parent, slot, this.isWide(parent)) & P) !== 0;
    return isThere && !this.isMapping(parent, slot) ? this.child(parent, slot) : NIL_INDEX;
  }

  /** @internal */
  clearSlot(index: number, slot: number): void {
    const wide = this.isWide(index);
    const low = this.tables.low(index, slot, wide);
    if ((low & P) === 0) return;
    if (this.isMapping(index, slot)) {
      this.onMappingWritten?.();
      return;
    }
    const frame = this.tables.frame(index, slot);
    this.tables.clear(index, slot, wide);
    this.generation++;
    if (this.kindOf(index)?.holds === 'pages') this.tracking.remove(frame, index);
    else {
      const child = low >>> 12;
      if (this.#mappings.has(child)) this.onMappingWritten?.();
      this.#dropUser(child, index * 1024 + slot);
    }
  }

  /** Clears all entries of a table. @internal */
  clearTable(index: number): void {
    if (this.#mappings.has(index)) this.clearMappings([index]);
    const slots = this.isWide(index) ? 512 : 1024;
    for (let slot = 0; slot < slots && this.tables.present[index] > 0; slot++) this.clearSlot(index, slot);
  }

  /**
   * Removes a table from its users, from the cache and from monitoring. Locked ones stay. @returns whether it is gone
   * @internal
   */
  free(index: number): boolean {
    if (this.isLocked(index) || index < FIRST_INDEX || this.kind[index] <= FREE_KIND) return false;
    for (const user of [...this.#users[index]]) this.clearSlot(Math.floor(user / 1024), user % 1024);
    // An uncached one is gone with its last user.
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

  /** @internal */
  usersOf(index: number): readonly number[] {
    return this.#users[index];
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
    this.#users[index].length = 0;
    this.tables.wipe(index);
    this.touch(index);
    return true;
  }

  #dropUser(child: number, user: number): void {
    const users = this.#users[child];
    const at = users.indexOf(user);
    if (at >= 0) users.splice(at, 1);
    if (users.length === 0 && !this.#cache.isCached(child)) this.free(child);
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
