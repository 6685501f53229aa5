import { PAGE_SIZE, TWO_32 } from '../../../formats/sizes.ts';
import { clock } from '../../../formats/world/waiting.ts';
import type { GuestMemory } from '../../pgm/guest-memory.ts';
import { HandlerState, PageState, PageType } from '../../pgm/pages/page-states.ts';
import type { RamRange } from '../../pgm/pages/ram-range.ts';
import { readEntry } from '../guest-view.ts';
import { NARROW_FRAMES } from '../mappings/hypervisor-pages.ts';
import { PageFault } from '../page-fault.ts';
import { KINDS, type PoolKind } from '../pool/kinds.ts';
import type { ShadowPool } from '../pool/pool.ts';
import { NIL_INDEX } from '../pool/pool-pages.ts';
import { A, D, G, NX_HIGH, P, RW, US } from '../schemes.ts';
import { PDE_TRACK_DIRTY, PTE_TRACK_DIRTY } from '../software-bits.ts';
import { indexIn, isReserved, tableAddress, type Walker } from '../walker.ts';
import type { CpuEvents } from './paging-events.ts';
import type { ShadowLevel, ShadowPlan } from './plan.ts';

/** Most pages that are mapped after one fault (`PGM_SYNC_NR_PAGES`). */
const SYNC_WINDOW = 32;
/** Bits that a shadow entry copies from the guest's entry. */
const KEPT = P | RW | US | A | D | G;
const KEPT_OF_TABLES = P | RW | US | A;
const STAND_IN = P | RW | US | A | D;
/** Read, write, execute; write-back, the guest's PAT ignored. */
const EPT_TABLE = 0b111;
const EPT_PAGE = 0b101 | (6 << 3) | (1 << 6);
/** Pages whose number fills the low half of a wide entry. */
const PAGES_OF_LOW_HALF = 2 ** 20;

/** Key of directories that shadow no directory of the guest: beyond all addresses. */
const NOWHERE = 2 ** 62;

/** The guest's mapping of one page. */
interface GuestPage {
  gcPhys: number;
  low: number;
  high: number;
  /** Whether the page's own entry, and not the directory's, tracks the first write. */
  tracks: boolean;
}

/**
 * Brings shadow tables into line with the guest's, for the address that a walk has just found, and for pages around it.
 * An entry is then right, or absent if accesses have to be emulated.
 */
export class ShadowSync {
  readonly #memory: GuestMemory;
  readonly #pool: ShadowPool;
  readonly #plan: ShadowPlan;
  /** Walker of the guest's tables, at the address; undefined if the guest has no tables. */
  readonly #walker: Walker | undefined;
  /** The `HandlerState` that virtual handlers need for a page. */
  readonly #virtualState: (frame: number) => number;
  readonly #events: CpuEvents;

  constructor(
    memory: GuestMemory,
    pool: ShadowPool,
    plan: ShadowPlan,
    walker: Walker | undefined,
    virtualState: (frame: number) => number,
    events: CpuEvents,
  ) {
    this.#events = events;
    this.#memory = memory;
    this.#pool = pool;
    this.#plan = plan;
    this.#walker = walker;
    this.#virtualState = virtualState;
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
    // The guest has no directory there, or it can't be watched.
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

  /** Makes `table` map the page at `linear`, and neighbours that need no new memory. */
  fill(table: number, linear: number, access: number): void {
    const level = this.#plan.levels[this.#plan.levels.length - 1];
    const slot = slotOf(level, linear);
    this.#syncPage(table, slot, this.#guestPage(linear, slot, slot), access);
    const first = Math.max(0, slot - SYNC_WINDOW / 2);
    const end = Math.min(level.indexMask + 1, first + SYNC_WINDOW);
    for (let near = first; near < end; near++) {
      if (near === slot || (this.#pool.tables.low(table, near, level.wide) & P) !== 0) continue;
      const page = this.#guestPage(linear, slot, near);
      if (page) this.#syncPage(table, near, page, undefined);
    }
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
    let flags = level.bare ? P : low & KEPT_OF_TABLES;
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

  /**
   * The guest's mapping at `near`, which lies in the same table as the address of the walk; undefined where there is
   * none.
   */
  #guestPage(linear: number, slot: number, near: number): GuestPage | undefined {
    const walker = this.#walker;
    const level = this.#plan.levels[this.#plan.levels.length - 1];
    const distance = (near - slot) * PAGE_SIZE;
    if (!walker || level.guest < 0)
      return { gcPhys: linear - (linear % PAGE_SIZE) + distance, low: STAND_IN, high: 0, tracks: false };
    const leaf = walker.depth - 1;
    const gcPhys = walker.gcPhys - (walker.gcPhys % PAGE_SIZE) + distance;
    const isLarge = leaf < level.guest;
    if (isLarge || near === slot)
      return { gcPhys, low: walker.entryLow[leaf], high: walker.entryHigh[leaf], tracks: !isLarge };
    const wide = walker.scheme.entrySize === 8;
    const at = walker.entryAddress[leaf] + (near - slot) * walker.scheme.entrySize;
    const low = readEntry(this.#memory, at);
    if ((low & (P | A)) !== (P | A)) return undefined;
    const high = wide ? readEntry(this.#memory, at + 4) : 0;
    if (isReserved(walker.levels[leaf], true, low, high)) return undefined;
    return { gcPhys: walker.pageBase(walker.levels[leaf], low, high), low, high, tracks: true };
  }

  /**
   * One shadow entry from one guest entry (paging.md 7.4). A clean page is tracked whatever the directory allows, since
   * several directory entries may name one table.
   * @param access of the fault; undefined for a neighbour, for which no memory is allocated
   */
  #syncPage(table: number, slot: number, page: GuestPage | undefined, access: number | undefined): void {
    if (!page) return;
    const range = this.#memory.ranges.find(page.gcPhys);
    if (range === undefined) return;
    const index = range.pageOf(page.gcPhys);
    const frame = page.gcPhys / PAGE_SIZE;
    const handlers = Math.max(activeState(range.handler[index]), this.#virtualState(frame));
    if (range.type[index] === PageType.MMIO || range.state[index] === PageState.BALLOONED) return;
    if (handlers === HandlerState.ALL || (page.low & A) === 0) {
      if ((page.low & A) === 0) this.#events.count('RZ/AccessedPage');
      this.#pool.clearSlot(table, slot);
      return;
    }
    if (!this.#makeUsable(range, index, page, access, handlers)) return;
    const id = range.pageId[index];
    const { wide } = this.#plan.levels[this.#plan.levels.length - 1];
    if (id === 0 || (!wide && id >= NARROW_FRAMES)) return;
    const low = entryFlags(page, handlers, isWritable(range, index));
    this.#events.count((low & PTE_TRACK_DIRTY) !== 0 ? 'RZ/DirtyPage/Mark' : 'RZ/DirtyPage/Skipped');
    const lowHost = (id << 12) >>> 0;
    const highHost = Math.floor(id / PAGES_OF_LOW_HALF);
    if (this.#plan.ept) this.#pool.setPage(table, slot, (lowHost | EPT_PAGE | (low & RW)) >>> 0, highHost, frame);
    else this.#pool.setPage(table, slot, (lowHost | low) >>> 0, (highHost | (page.high & NX_HIGH)) >>> 0, frame);
  }

  /** Allocates the page's own memory where the access needs it. @returns false where the page has none */
  #makeUsable(
    range: RamRange,
    index: number,
    { low }: GuestPage,
    access: number | undefined,
    handlers: number,
  ): boolean {
    if (range.type[index] !== PageType.RAM) return true;
    const state = range.state[index];
    const isWritten =
      access !== undefined && (access & PageFault.WRITE) !== 0 && (low & RW) !== 0 && handlers < HandlerState.WRITE;
    const wanted =
      state === PageState.ZERO ||
      (state === PageState.SHARED && (low & RW) !== 0) ||
      (state === PageState.WRITE_MONITORED && isWritten);
    if (!wanted) return true;
    if (access === undefined) return false;
    this.#memory.pages.apply('make-writable', range, index);
    return true;
  }
}

export function slotOf(level: ShadowLevel, linear: number): number {
  return indexIn(level, Math.floor(linear / TWO_32), linear >>> 0);
}

/** Handlers that are switched off for a page don't count. */
export function activeState(state: number): number {
  return state === HandlerState.DISABLED ? HandlerState.NONE : state;
}

/** Whether the guest may write to the host's page directly: nothing monitors it. */
function isWritable(range: RamRange, index: number): boolean {
  const type = range.type[index];
  return range.state[index] === PageState.ALLOCATED && (type === PageType.RAM || type === PageType.MMIO2);
}

function entryFlags({ low, tracks }: GuestPage, handlers: number, writable: boolean): number {
  const flags = low & KEPT;
  if (handlers === HandlerState.WRITE) return flags & ~RW;
  if (tracks && (low & RW) !== 0 && (low & D) === 0) return (flags & ~RW) | PTE_TRACK_DIRTY;
  return writable ? flags : flags & ~RW;
}

/** 1 to 4 for users: read-write, read, both without execution; 5 to 8 for supervisors. */
function accessTag(low: number, high: number): number {
  return 1 + ((low & RW) === 0 ? 1 : 0) + ((high & NX_HIGH) !== 0 ? 2 : 0) + ((low & US) === 0 ? 4 : 0);
}
