import { hex } from '../../../../formats/errors.ts';
import { GIB, PAGE_SIZE } from '../../../../formats/sizes.ts';
import { HandlerState } from '../../../pgm/pages/page-states.ts';
import { KINDS } from '../../pool/kinds.ts';
import type { ShadowPool } from '../../pool/pool.ts';
import { NIL_INDEX } from '../../pool/pool-pages.ts';
import { POOL_BASE_HIGH } from '../../pool/table-store.ts';
import { A, D, G, NX_HIGH, P, PCD, PS, PWT, RW, US } from '../../schemes.ts';
import { MAPPING, PDE_TRACK_DIRTY, PTE_TRACK_DIRTY } from '../../software-bits.ts';
import { isReserved, tableAddress, type Walker } from '../../walker.ts';
import { HOST_HIGH } from '../lookup.ts';
import type { ShadowLevel, ShadowPlan } from '../plan.ts';
import type { ShadowCpu } from '../shadow-cpu.ts';
import { activeState } from '../sync-pages.ts';
import { type Breach, CONDITIONS, type Condition } from './conditions.ts';

/** Maximum number of breaches that are reported, since a broken root breaks everything below it. */
const MAX_BREACHES = 1000;

/**
 * Compares all shadow tables of a CPU with the guest's (`PGMAssertCR3`, paging.md 9). Nothing is compared without guest
 * tables: without paging, and with nested paging.
 */
export function checkConsistency(cpu: ShadowCpu): Breach[] {
  const { plan, walker } = cpu;
  if (!plan || plan.nested || !walker || cpu.root === NIL_INDEX) return [];
  return new ConsistencyCheck(cpu, plan, walker).run();
}

interface ShadowEntry {
  linear: number;
  low: number;
  high: number;
  /** Index of the table that the entry names. */
  child: number;
}

interface GuestEntry {
  low: number;
  high: number;
  /** Level from the root. */
  depth: number;
  isLarge: boolean;
}

const POOL_HIGH = 0x7fffffff;

class ConsistencyCheck {
  readonly #cpu: ShadowCpu;
  readonly #pool: ShadowPool;
  readonly #plan: ShadowPlan;
  readonly #walker: Walker;
  readonly #breaches: Breach[] = [];

  constructor(cpu: ShadowCpu, plan: ShadowPlan, walker: Walker) {
    this.#cpu = cpu;
    this.#pool = cpu.paging.pool;
    this.#plan = plan;
    this.#walker = walker;
  }

  run(): Breach[] {
    const { root, registers } = this.#cpu;
    const address = Number(registers.cr3 & this.#walker.scheme.rootMask);
    if (this.#walker.root !== address)
      this.#report('root-address', 0, `${hex(this.#walker.root)}, CR3 ${hex(address)}`);
    const isRight =
      this.#pool.kind[root] === this.#plan.root.number && this.#pool.key[root] === address && this.#pool.isLocked(root);
    if (!isRight) this.#report('root-table', 0, `kind ${this.#pool.kind[root]} for ${hex(this.#pool.key[root])}`);
    else this.#table(0, root, 0, undefined);
    return this.#breaches;
  }

  #table(depth: number, table: number, base: number, above: GuestEntry | undefined): void {
    const level = this.#plan.levels[depth];
    const isLast = depth === this.#plan.levels.length - 1;
    for (let slot = 0; slot <= level.indexMask && this.#breaches.length < MAX_BREACHES; slot++) {
      const low = this.#pool.tables.low(table, slot, level.wide);
      const linear = base + slot * 2 ** level.shift;
      if ((low & P) === 0) {
        if (isLast && (low & PTE_TRACK_DIRTY) !== 0) this.#report('pte-tracked-absent', linear);
        continue;
      }
      const high = this.#pool.tables.high(table, slot, level.wide);
      const guest = level.guest < 0 ? undefined : this.#guestEntry(level, linear, above);
      const entry: ShadowEntry = { linear, low, high, child: low >>> 12 };
      if (!isLast && (low & MAPPING) !== 0)
        this.#reportIf(this.#isMapping(linear, low, high, level) ? undefined : 'pde-mapping', linear);
      else if (isLast) this.#reportIf(this.#pageBreach(entry, guest, above?.isLarge === true), linear);
      else {
        const breach =
          level.guest >= 0 && isDirectory(level)
            ? this.#directoryBreach(level, entry, guest)
            : this.#upperBreach(level, entry, guest);
        if (breach) this.#report(breach, linear);
        else this.#table(depth + 1, entry.child, linear, guest);
      }
    }
  }

  /**
   * The guest's entry that a shadow entry was made from: the entry above, if it maps a large page. Undefined if its
   * table lies outside of all memory.
   */
  #guestEntry(level: ShadowLevel, linear: number, above: GuestEntry | undefined): GuestEntry | undefined {
    if (above?.isLarge) return above;
    const walker = this.#walker;
    const guestLevel = walker.levels[level.guest];
    const index = Math.floor(linear / guestLevel.span) % (guestLevel.indexMask + 1);
    if (level.guest === 0 && walker.latched)
      return this.#entry(level.guest, walker.latched[2 * index], walker.latched[2 * index + 1]);
    const table = level.guest === 0 ? walker.root : above ? tableAddress(above.low, above.high) : walker.root;
    const { view } = this.#cpu;
    if (!view.holdsTables(table)) return undefined;
    const size = walker.scheme.entrySize;
    const at = table + index * size;
    return this.#entry(level.guest, view.readU32(at), size === 8 ? view.readU32(at + 4) : 0);
  }

  #entry(depth: number, low: number, high: number): GuestEntry {
    const level = this.#walker.levels[depth];
    return { low, high, depth, isLarge: !level.last && level.large && (low & PS) !== 0 };
  }

  /** The condition that an entry above directories breaks, if any; nothing below such an entry is checked. */
  #upperBreach(
    level: ShadowLevel,
    { low, high, child }: ShadowEntry,
    guest: GuestEntry | undefined,
  ): Condition | undefined {
    // The directory is there for mappings only.
    if (level.bare && this.#pool.kind[child] === KINDS.PAE_PD_PHYS.number) return undefined;
    if (level.guest < 0) return this.#pool.key[child] === this.#walker.root ? undefined : 'upper-key';
    if (!guest || (guest.low & P) === 0) return 'upper-guest-absent';
    if (!guest.isLarge && this.#pool.key[child] !== tableAddress(guest.low, guest.high)) return 'upper-key';
    return !level.bare && (differs(low, guest.low, RW | US) || differs(high, guest.high, NX_HIGH))
      ? 'upper-flags'
      : undefined;
  }

  /**
   * Whether mappings are in use, and an entry names the tables of one. In legacy PAE one directory may serve several
   * gigabytes, and its entries for mappings occur in all of them.
   */
  #isMapping(linear: number, low: number, high: number, level: ShadowLevel): boolean {
    const placed = this.#cpu.paging.rawMode?.mappings.placed ?? [];
    if (!level.wide) return placed.some(({ address, tables }) => address === linear && tables.narrowEntry === low);
    const entry = (BigInt(high) << 32n) | BigInt(low);
    const half = Math.floor(linear / 2 ** level.shift) % 2;
    return placed.some(
      ({ address, tables }) =>
        address % GIB === (linear % GIB) - half * 2 ** level.shift && tables.wideEntry(half) === entry,
    );
  }

  /** Checks an entry that names a last table; breaches that do not end the check are reported at once. */
  #directoryBreach(level: ShadowLevel, entry: ShadowEntry, guest: GuestEntry | undefined): Condition | undefined {
    const { linear, low, high, child } = entry;
    const kind = this.#pool.kindOf(child);
    if ((level.wide && (high & POOL_HIGH) !== POOL_BASE_HIGH) || !kind) return 'pde-table';
    if ((low & (PWT | PCD)) !== 0) this.#report('pde-cache-bits', linear);
    if ((low & (G | D)) !== 0) this.#report('pde-page-bits', linear);
    if (!guest || (guest.low & P) === 0) return 'pde-guest-absent';
    if (isReserved(this.#walker.levels[guest.depth], guest.isLarge, guest.low, guest.high)) return 'pde-reserved';
    if (kind !== (guest.isLarge ? level.big : level.table)) this.#report('pde-kind', linear);
    const { ranges } = this.#cpu.paging.memory;
    const address = this.#keyFor(level, linear, guest);
    const size = guest.isLarge ? 2 ** level.shift : PAGE_SIZE;
    if (!ranges.firstOverlap(address - (address % PAGE_SIZE), address + size)) return 'pde-address';
    if (this.#pool.key[child] !== address) return 'pde-key';
    return guest.isLarge ? this.#largeBreach(entry, guest) : tableBreach(entry, guest);
  }

  #keyFor(level: ShadowLevel, linear: number, guest: GuestEntry): number {
    const span = 2 ** level.shift;
    if (!guest.isLarge)
      return (
        tableAddress(guest.low, guest.high) +
        (level.key === 'entry-half' ? (Math.floor(linear / span) & 1) * (PAGE_SIZE / 2) : 0)
      );
    const guestLevel = this.#walker.levels[guest.depth];
    return this.#walker.pageBase(guestLevel, guest.low, guest.high) + (linear % guestLevel.span);
  }

  #largeBreach({ linear, low, high }: ShadowEntry, guest: GuestEntry): Condition | undefined {
    const isClean = (guest.low & RW) !== 0 && (guest.low & D) === 0;
    const isTracked = (low & PDE_TRACK_DIRTY) !== 0;
    if (isClean && ((low & RW) !== 0 || !isTracked)) return 'large-clean';
    if (!isClean && isTracked) return 'large-tracked';
    if (differs(low, guest.low, P | US | (isClean ? 0 : RW | A)) || differs(high, guest.high, NX_HIGH))
      this.#report('large-flags', linear);
    return undefined;
  }

  /** The condition that an entry which maps a page breaks, if any. */
  #pageBreach(
    { linear, low, high }: ShadowEntry,
    guest: GuestEntry | undefined,
    inLarge: boolean,
  ): Condition | undefined {
    if (inLarge && (low & PTE_TRACK_DIRTY) !== 0) this.#report('large-pte-tracked', linear);
    if (!guest || (guest.low & P) === 0) return 'pte-guest-absent';
    const level = this.#walker.levels[guest.depth];
    const gcPhys = this.#walker.pageBase(level, guest.low, guest.high) + (linear % level.span);
    const { memory } = this.#cpu.paging;
    const range = memory.ranges.find(gcPhys);
    if (!range) return (low & RW) !== 0 ? 'pte-unknown-writable' : undefined;
    const page = range.pageOf(gcPhys);
    const host = (high & HOST_HIGH) * 2 ** 20 + (low >>> 12);
    if (host !== range.pageId[page]) return inLarge ? 'large-pte-host' : 'pte-host';
    const handlers = Math.max(
      activeState(range.handler[page]),
      this.#cpu.paging.virtualHandlers.stateOf(gcPhys / PAGE_SIZE),
    );
    const passesHandlers = handlers === HandlerState.ALL || (handlers === HandlerState.WRITE && (low & RW) !== 0);
    if (passesHandlers) return inLarge ? 'large-pte-handlers' : 'pte-handlers';
    const dirtiness = inLarge || handlers !== HandlerState.NONE ? undefined : dirtinessBreach(low, guest);
    if (dirtiness) return dirtiness;
    const exceeds = (low & RW) !== 0 && (guest.low & RW) === 0;
    const isOther =
      exceeds ||
      differs(low, guest.low, P | US) ||
      (!inLarge && (guest.low & A) === 0) ||
      differs(high, guest.high, NX_HIGH);
    if (isOther) return inLarge ? 'large-pte-flags' : 'pte-flags';
    return undefined;
  }

  #reportIf(condition: Condition | undefined, linear: number): void {
    if (condition) this.#report(condition, linear);
  }

  #report(condition: Condition, linear: number, detail = ''): void {
    const message = `${hex(linear)}: ${CONDITIONS[condition]}${detail === '' ? '' : ` (${detail})`}`;
    this.#breaches.push({ condition, linear, message });
  }
}

function isDirectory(level: ShadowLevel): boolean {
  return level.shift === 21 || level.shift === 22;
}

function differs(shadow: number, guest: number, bits: number): boolean {
  return ((shadow ^ guest) & bits) !== 0;
}

function tableBreach({ low, high }: ShadowEntry, guest: GuestEntry): Condition | undefined {
  if (differs(low, guest.low, P | US | RW) || differs(high, guest.high, NX_HIGH)) return 'table-flags';
  return (low & PDE_TRACK_DIRTY) !== 0 ? 'table-tracked' : undefined;
}

function dirtinessBreach(low: number, guest: GuestEntry): Condition | undefined {
  const isTracked = (low & PTE_TRACK_DIRTY) !== 0;
  if ((guest.low & RW) !== 0 && (guest.low & D) === 0)
    return (low & (RW | D)) === 0 && isTracked ? undefined : 'pte-clean';
  return isTracked ? 'pte-tracked' : undefined;
}
