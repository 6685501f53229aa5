import { PAGE_SIZE } from '../../../formats/sizes.ts';
import type { GuestMemory } from '../../pgm/guest-memory.ts';
import type { PoolKind, SlotRule } from './kinds.ts';
import type { ShadowPool, TableWatch } from './pool.ts';

const MONITOR_DESCRIPTION = 'Guest Paging Access Handler';

/**
 * Watches guest tables that are shadowed: a write to an entry clears the shadow entries made from it, so none is ever
 * stale (paging.md 8.3). The policy is simple: each write is intercepted, however often a table is written.
 */
export class TableMonitor implements TableWatch {
  readonly #memory: GuestMemory;
  /** Pool indices by frame of the guest page. */
  readonly #chains = new Map<number, number[]>();
  #pool: ShadowPool | undefined;

  constructor(memory: GuestMemory) {
    this.#memory = memory;
  }

  /** Sets the pool whose tables are cleared. */
  attach(pool: ShadowPool): void {
    this.#pool = pool;
  }

  /**
   * Starts to watch the page with `key` for a table. @returns false where the page can't be watched: it is no RAM, or
   * has another handler
   */
  join(key: number, index: number): boolean {
    const frame = Math.floor(key / PAGE_SIZE);
    const chain = this.#chains.get(frame);
    if (chain) {
      chain.push(index);
      return true;
    }
    if (!this.#canWatch(frame)) return false;
    this.#chains.set(frame, [index]);
    const start = frame * PAGE_SIZE;
    this.#memory.handlers.register({
      kind: 'write',
      start,
      end: start + PAGE_SIZE,
      description: MONITOR_DESCRIPTION,
      callback: (_, gcPhys, bytes) => {
        this.noteWrite(gcPhys, bytes.length);
        return 'default';
      },
    });
    return true;
  }

  leave(key: number, index: number): void {
    const frame = Math.floor(key / PAGE_SIZE);
    const chain = this.#chains.get(frame);
    if (!chain) return;
    chain.splice(chain.indexOf(index), 1);
    if (chain.length > 0) return;
    this.#chains.delete(frame);
    this.#memory.handlers.deregister(frame * PAGE_SIZE);
  }

  isWatched(frame: number): boolean {
    return this.#chains.has(frame);
  }

  /** Frames of all watched pages. */
  frames(): Iterable<number> {
    return this.#chains.keys();
  }

  /** Clears the shadow entries made from bytes of one page that the guest writes, or has written. */
  noteWrite(gcPhys: number, size: number): void {
    const pool = this.#pool;
    const chain = this.#chains.get(Math.floor(gcPhys / PAGE_SIZE));
    if (!pool || !chain) return;
    pool.counts.monitoredWrites++;
    const offset = gcPhys % PAGE_SIZE;
    for (const index of [...chain]) {
      const kind = pool.kindOf(index);
      if (kind?.guest) clearMadeFrom(pool, index, kind.guest, offset, size);
    }
  }

  #canWatch(frame: number): boolean {
    const start = frame * PAGE_SIZE;
    if (this.#memory.ranges.find(start) === undefined) return false;
    const next = this.#memory.handlers.list.atOrAbove(start);
    return next === undefined || next.start >= start + PAGE_SIZE;
  }
}

/** Clears the entries of a shadow table that were made from some bytes of its guest table. */
function clearMadeFrom(
  pool: ShadowPool,
  index: number,
  { entrySize, slots }: NonNullable<PoolKind['guest']>,
  offset: number,
  size: number,
): void {
  const last = Math.floor((offset + size - 1) / entrySize);
  for (let entry = Math.floor(offset / entrySize); entry <= last; entry++) {
    const [first, count] = slotsMadeFrom(slots, entry, pool.key[index], entrySize);
    for (let slot = first; slot < first + count; slot++) pool.clearSlot(index, slot);
  }
}

function slotsMadeFrom(rule: SlotRule, entry: number, key: number, entrySize: number): [first: number, count: number] {
  if (rule === 'same') return [entry, 1];
  if (rule === 'half') return entry >>> 9 === (key % PAGE_SIZE >= PAGE_SIZE / 2 ? 1 : 0) ? [entry & 511, 1] : [0, 0];
  if (rule === 'from-key') {
    const slot = entry - (key % PAGE_SIZE) / entrySize;
    return slot >= 0 && slot < 4 ? [slot, 1] : [0, 0];
  }
  return entry >>> 8 === rule.quarter ? [2 * (entry & 255), 2] : [0, 0];
}
