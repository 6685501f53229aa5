import { PAGE_SIZE } from '../../../formats/sizes.ts';
import { clock } from '../../../formats/world/waiting.ts';
import type { GuestMemory } from '../../pgm/guest-memory.ts';
import { KINDS, type PoolKind } from '../pool/kinds.ts';
import type { ShadowPool } from '../pool/pool.ts';
import { NIL_INDEX } from '../pool/pool-pages.ts';
import { A, D, NX_HIGH, P, RW, US } from '../schemes.ts';
import { PDE_TRACK_DIRTY } from '../software-bits.ts';
import { tableAddress, type Walker } from '../walker.ts';
import type { CpuEvents } from './paging-events.ts';
import { type ShadowLevel, type ShadowPlan, slotOf } from './plan.ts';

/** Bits that an entry for a table copies from the guest's entry. */
const KEPT = P | RW | US | A;
/** Entry in place of the guest's, where the guest has no entry. */
const STAND_IN = P | RW | US | A | D;
/** Read, write, execute. */
const EPT_TABLE = 0b111;

/** Key of directories that shadow no directory of the guest: beyond all addresses. */
const NOWHERE = 2 ** 62;

/** Brings the tables above pages into line with the guest's, for the address that a walk has just found. */
export class TableSync {
  readonly #memory: GuestMemory;
  readonly #pool: ShadowPool;
  readonly #plan: ShadowPlan;
  /** Walker of the guest's tables, at the address; undefined if the guest has no tables. */
  readonly #walker: Walker | undefined;
  readonly #events: CpuEvents;

  constructor(memory: GuestMemory, pool: ShadowPool, plan: ShadowPlan, walker: Walker | undefined, events: CpuEvents) {
    this.#memory = memory;
    this.#pool = pool;
    this.#plan = plan;
    this.#walker = walker;
    this.#events = events;
  }

  /**
   * The last-level table for an address, with all tables on the way to it; `NIL_INDEX` where the pool has no table
   * left.
   */
  tableFor(root: number, linear: number): number {
    const { levels } = this.#plan;
    let table = root;
    this.#pool.touch(root);
    for (let depth = 0; depth < levels.length - 1; depth++) {
      const level = levels[depth];
      const slot = slotOf(level, linear);
      if (this.#pool.isMapping(table, slot)) return NIL_INDEX;
      let child = this.#childThere(table, slot, level);
      if (child === NIL_INDEX) child = this.#make(table, slot, level, linear);
      if (child === NIL_INDEX) return NIL_INDEX;
      table = child;
    }
    return table;
  }

  /**
   * The PAE directory for an address, for a mapping of the hypervisor, whatever the guest has there. `NIL_INDEX` where
   * the pool has no table left.
   */
  directoryFor(root: number, linear: number): number {
    const [level] = this.#plan.levels;
    const slot = slotOf(level, linear);
    const walker = this.#walker;
    walker?.walk(linear);
    const isGuests = level.guest < 0 || (walker !== undefined && walker.depth > 0 && (walker.entryLow[0] & P) !== 0);
    const before = this.#pool.childOf(root, slot);
    const isStandIn = before !== NIL_INDEX && this.#pool.key[before] === NOWHERE;
    const there = isGuests && !isStandIn ? this.#childThere(root, slot, level) : before;
    if (there !== NIL_INDEX) return there;
    let directory = isGuests ? this.#takeTable(level, slot, linear) : NIL_INDEX;
    // The guest has no directory there, or its directory can't be watched.
    if (directory === NIL_INDEX) directory = this.#pool.take(KINDS.PAE_PD_PHYS, NOWHERE, { cached: false });
    if (directory !== NIL_INDEX) this.#pool.setTable(root, slot, directory, P);
    return directory;
  }

  #make(table: number, slot: number, level: ShadowLevel, linear: number): number {
    const start = clock();
    const child = this.#hook(table, slot, level, linear);
    this.#events.time('RZ/SyncPT', start);
    if (child === NIL_INDEX) this.#events.count('RZ/SyncPT/Failed');
    return child;
  }

  #childThere(table: number, slot: number, level: ShadowLevel): number {
    if ((this.#pool.tables.low(table, slot, level.wide) & P) === 0) return NIL_INDEX;
    const child = this.#pool.child(table, slot);
    const latched = this.#plan.ownRoot && level.guest === 0 ? this.#entryAddress(0) : this.#pool.key[child];
    if (this.#pool.key[child] !== latched) {
      this.#events.count('RZ/SyncPagePDOutOfSync');
      this.#pool.clearSlot(table, slot);
      return NIL_INDEX;
    }
    this.#pool.touch(child);
    return child;
  }

  #entryAddress(depth: number): number {
    const walker = this.#walker as Walker;
    return tableAddress(walker.entryLow[depth], walker.entryHigh[depth]);
  }

  /** Takes a child table from the pool, and makes the entry point to it. */
  #hook(table: number, slot: number, level: ShadowLevel, linear: number): number {
    const walker = this.#walker;
    const leaf = walker && level.guest >= 0 ? walker.depth - 1 : Number.POSITIVE_INFINITY;
    const isBig = level.guest >= leaf;
    const child = isBig ? this.#takeBig(level, linear, walker as Walker) : this.#takeTable(level, slot, linear);
    if (child === NIL_INDEX) return NIL_INDEX;
    this.#events.count(isBig ? 'RZ/SyncPT/4M' : 'RZ/SyncPT/4K');
    if (this.#plan.ept) {
      this.#pool.setTable(table, slot, child, EPT_TABLE);
      return child;
    }
    const depth = Math.min(level.guest, leaf);
    const low = walker && level.guest >= 0 ? walker.entryLow[depth] : STAND_IN;
    const high = walker && level.guest >= 0 ? walker.entryHigh[depth] : 0;
    let flags = level.bare ? P : low & KEPT;
    if (isBig && level.big?.holds !== 'tables' && (low & RW) !== 0 && (low & D) === 0) {
      flags = (flags & ~RW) | PDE_TRACK_DIRTY;
      this.#events.count('RZ/DirtyPage/MarkBig');
    }
    this.#pool.setTable(table, slot, child, flags, (high & NX_HIGH) >>> 0);
    return child;
  }

  #takeTable(level: ShadowLevel, slot: number, linear: number): number {
    const kind = (Array.isArray(level.table) ? level.table[slot] : level.table) as PoolKind;
    return this.#pool.take(kind, this.#keyOf(level, slot, linear), { tag: this.#rulesTag() });
  }

  /** Takes a table that splits a large page of the guest, or the part of it that one entry covers. */
  #takeBig(level: ShadowLevel, linear: number, walker: Walker): number {
    const span = 2 ** level.shift;
    const base = walker.gcPhys - (linear % walker.pageSize) + Math.floor((linear % walker.pageSize) / span) * span;
    // For a part without memory the table would stay empty.
    if (!this.#memory.ranges.firstOverlap(base, base + span)) return NIL_INDEX;
    const kind = level.big as PoolKind;
    if (kind === KINDS.PD64_PHYS) return this.#pool.take(kind, base, { cached: false });
    const leaf = walker.depth - 1;
    return this.#pool.take(kind, base, {
      tag: accessTag(walker.entryLow[leaf], walker.entryHigh[leaf]) | this.#rulesTag(),
    });
  }

  #keyOf(level: ShadowLevel, slot: number, linear: number): number {
    if (level.key === 'identity') return linear - (linear % 2 ** level.shift);
    if (level.key === 'cr3') return (this.#walker as Walker).root;
    const address = this.#entryAddress(level.guest);
    return level.key === 'entry-half' ? address + (slot & 1) * (PAGE_SIZE / 2) : address;
  }

  /** Separates tables of CPUs that interpret entries differently (NXE, PSE). */
  #rulesTag(): number {
    const rules = this.#walker?.rules;
    return rules ? (rules.nxe ? 16 : 0) | (rules.pse ? 32 : 0) : 0;
  }
}

/** 1 to 4 for users: read-write, read, both without execution; 5 to 8 for supervisors. */
function accessTag(low: number, high: number): number {
  return 1 + ((low & RW) === 0 ? 1 : 0) + ((high & NX_HIGH) !== 0 ? 2 : 0) + ((low & US) === 0 ? 4 : 0);
}
