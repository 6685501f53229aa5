import { PAGE_SIZE } from '../../../formats/sizes.ts';
import type { GuestMemory } from '../../pgm/guest-memory.ts';
import { HandlerState, PageState, PageType } from '../../pgm/pages/page-states.ts';
import type { RamRange } from '../../pgm/pages/ram-range.ts';
import { readEntry } from '../guest-view.ts';
import { NARROW_FRAMES } from '../mappings/hypervisor-pages.ts';
import { PageFault } from '../page-fault.ts';
import type { ShadowPool } from '../pool/pool.ts';
import { A, D, G, NX_HIGH, P, RW, US } from '../schemes.ts';
import { PTE_TRACK_DIRTY } from '../software-bits.ts';
import { isReserved, type Walker } from '../walker.ts';
import type { CpuEvents } from './paging-events.ts';
import { type ShadowPlan, slotOf } from './plan.ts';

/** Maximum number of pages that are mapped after one fault (`PGM_SYNC_NR_PAGES`). */
const SYNC_WINDOW = 32;
/** Bits that a shadow entry copies from the guest's entry. */
const KEPT = P | RW | US | A | D | G;
const STAND_IN = P | RW | US | A | D;
/** Read and execute; write-back, the guest's PAT ignored. */
const EPT_PAGE = 0b101 | (6 << 3) | (1 << 6);
/** Pages whose number fills the low half of a wide entry. */
const PAGES_OF_LOW_HALF = 2 ** 20;

/** The guest's mapping of one page. */
interface GuestPage {
  gcPhys: number;
  low: number;
  high: number;
  /** Whether the page's own entry, and not the directory's, tracks the first write. */
  tracks: boolean;
}

/**
 * Brings the entries of pages in shadow tables into line with the guest's, for the address that a walk has just found
 * and for its neighbours. An entry is then right, or absent if accesses have to be emulated.
 */
export class PageSync {
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
   * Makes one shadow entry from one guest entry (paging.md 7.4). A clean page is tracked whatever the directory allows,
   * since several directory entries may name one table.
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
