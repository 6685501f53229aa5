import { P } from '../schemes.ts';
import { BackTracking } from './back-tracking.ts';
import type { PoolKind } from './kinds.ts';
import { NIL_INDEX } from './pool-pages.ts';
import { POOL_BASE_HIGH, TableStore } from './table-store.ts';

/** The entries of all tables of a pool: they name tables, map pages, or stand for mappings of the hypervisor. */
export abstract class TableEntries {
  /** @internal */
  readonly tables: TableStore;
  /** @internal */
  readonly tracking: BackTracking;
  /** Raised when an entry goes away or allows less: copies of entries elsewhere are out of date. @internal */
  generation = 0;

  /**
   * Called when an entry goes away that stands for a mapping of the hypervisor, or for a table with such entries.
   * @internal
   */
  onMappingWritten: (() => void) | undefined;
  /** Entries for mappings of the hypervisor: slots by table. */
  readonly #mappings = new Map<number, Set<number>>();
  readonly #wide: Uint8Array;
  /** Entries that name a table: index of their table × 1024 + slot. */
  readonly #users: number[][];

  constructor(size: number, extents: number) {
    this.tables = new TableStore(size);
    this.tracking = new BackTracking(extents);
    this.#wide = new Uint8Array(size);
    this.#users = Array.from({ length: size }, () => []);
  }

  /** @internal */
  abstract kindOf(index: number): PoolKind | undefined;

  /** Called when no entry names a table any more. @internal */
  protected abstract lastUserGone(index: number): void;

  /** Whether entries have 64 bits. @internal */
  isWide(index: number): boolean {
    return this.#wide[index] === 1;
  }

  /** @internal */
  protected setWide(index: number, wide: boolean): void {
    this.#wide[index] = wide ? 1 : 0;
  }

  /** @internal */
  usersOf(index: number): readonly number[] {
    return this.#users[index];
  }

  /** Makes a table empty, without users. @internal */
  protected wipe(index: number): void {
    this.#users[index].length = 0;
    this.tables.wipe(index);
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

  #dropUser(child: number, user: number): void {
    const users = this.#users[child];
    const at = users.indexOf(user);
    if (at >= 0) users.splice(at, 1);
    if (users.length === 0) this.lastUserGone(child);
  }
}
