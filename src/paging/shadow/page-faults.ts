import { type GuestPhys, TWO_32 } from '../../../formats/sizes.ts';
import { clock } from '../../../formats/world/waiting.ts';
import { canonical } from '../address-space.ts';
import { faultOf, NO_FAULT, PageFault, setAccessedBits } from '../page-fault.ts';
import { NIL_INDEX } from '../pool/pool-pages.ts';
import { D } from '../schemes.ts';
import { Reach } from './guest-access.ts';
import type { ShadowPlan } from './plan.ts';
import type { ShadowedCpu } from './shadow-state.ts';
import { PageSync } from './sync-pages.ts';
import { TableSync } from './sync-tables.ts';
import { isInMapping, TrapNotes } from './trap-notes.ts';

/**
 * The page faults of one CPU on shadow tables (`Trap0eHandler`): each walks the guest's tables, and maps the page, has
 * the access emulated, or is the guest's own fault. Results are as of `ShadowCpu.reach`.
 */
export class PageFaults {
  readonly #cpu: ShadowedCpu;
  readonly #notes: TrapNotes;
  #tables: TableSync | undefined;
  #pages: PageSync | undefined;

  constructor(cpu: ShadowedCpu) {
    this.#cpu = cpu;
    this.#notes = new TrapNotes(cpu);
  }

  /** To be called when plan or walker of the CPU have changed. */
  renewSync(): void {
    const { paging, plan, events } = this.#cpu;
    const { memory, pool } = paging;
    const stateOf = (frame: number) => paging.virtualHandlers.stateOf(frame);
    const walker = plan?.nested ? undefined : this.#cpu.walker;
    this.#tables = plan && new TableSync(memory, pool, plan, walker, events);
    this.#pages = plan && new PageSync(memory, pool, plan, walker, stateOf, events);
  }

  /** The PAE directory for an address; `NIL_INDEX` where the pool has no table left. */
  directoryFor(linear: number): number {
    return this.#tables?.directoryFor(this.#cpu.root, linear) ?? NIL_INDEX;
  }

  /** Handles a fault at an address that the shadow tables do not map. */
  reach(linear: number, access: number): number {
    this.#notes.begin();
    const hasWalked = this.#walkGuest(linear, access);
    this.#notes.walked();
    if (hasWalked) this.#makeRoom(linear);
    const host = hasWalked ? this.#reachShadow(linear, access, this.#cpu.gcPhys) : Reach.FAULT;
    this.#notes.end();
    return host;
  }

  /** With nested paging: guest tables lead to a guest-physical address, nested tables from there to the host. */
  reachNested(linear: number, access: number): number {
    if (!this.#walkGuest(linear, access)) return Reach.FAULT;
    const cpu = this.#cpu;
    const { gcPhys } = cpu;
    if (gcPhys >= reachOf(cpu.plan as ShadowPlan)) {
      cpu.counts.emulated++;
      return Reach.EMULATE;
    }
    const nestedAccess = access & PageFault.WRITE;
    const known = cpu.hostAddress(gcPhys, nestedAccess);
    if (known >= 0) return known;
    this.#notes.begin();
    const host = this.#reachShadow(gcPhys, nestedAccess, gcPhys);
    this.#notes.end();
    return host;
  }

  /** Brings the shadow tables into line for an address. @returns false if the CPU has none, or no table is left */
  fill(linear: number, access: number): boolean {
    const { root, paging, id, events } = this.#cpu;
    if (root === NIL_INDEX || !this.#tables || !this.#pages || !paging.memory.a20.isOn(id)) return false;
    const start = clock();
    const table = this.#tables.tableFor(root, linear);
    events.time('RZ/Trap0e/Time/SyncPT', start);
    if (table === NIL_INDEX) return false;
    const fillStart = clock();
    this.#pages.fill(table, linear, access);
    events.time('RZ/Trap0e/Time/OutOfSync', fillStart);
    return true;
  }

  /** Walks the guest's tables, and sets accessed and dirty bits. @returns false for a fault of the guest */
  #walkGuest(linear: number, access: number): boolean {
    const cpu = this.#cpu;
    const { walker, paging, view } = cpu;
    if (!walker) {
      cpu.gcPhys = linear;
      return linear < TWO_32 || this.#faultOfGuest(linear, access);
    }
    walker.walk(linear);
    const fault = faultOf(walker, access);
    if (fault !== NO_FAULT) return this.#faultOfGuest(linear, fault);
    let isDirtied = false;
    const start = clock();
    setAccessedBits(walker, access, (at, value, before) => {
      view.writeU32(at, value);
      if (((value ^ before) & D) === 0) return;
      // Other shadow tables may still track the same entry as clean.
      paging.monitor.noteWrite(view.physical(at), 4);
      isDirtied = true;
    });
    if ((access & PageFault.WRITE) !== 0) this.#notes.wrote(isDirtied, start);
    cpu.gcPhys = walker.gcPhys;
    return true;
  }

  #faultOfGuest(linear: number, code: number): false {
    const cpu = this.#cpu;
    this.#notes.guestFault(linear, code);
    cpu.faultCode = code;
    cpu.cr2 = cpu.walker?.scheme.addressBits === 48 ? canonical(BigInt(linear), 48) : BigInt(linear);
    return false;
  }

  /**
   * Moves the hypervisor's mappings if the guest maps a page at one of their addresses. If they can't move, since they
   * are fixed or the guest uses all addresses, accesses to the page are emulated.
   */
  #makeRoom(linear: number): void {
    const start = clock();
    const { paging, events, cr3 } = this.#cpu;
    if (!isInMapping(this.#cpu, linear)) return;
    const { rawMode } = paging;
    if (rawMode && !rawMode.mappings.fixed) {
      events.count('RZ/Trap0e/Conflicts');
      cr3.requestSync();
      cr3.sync();
      // The search for a place has moved the walker.
      this.#cpu.walker?.walk(linear);
    }
    events.time('RZ/Trap0e/Time/Mapping', start);
  }

  /**
   * @param linear address by which the shadow tables are indexed @param gcPhys guest-physical address that it leads to
   */
  #reachShadow(linear: number, access: number, gcPhys: GuestPhys): number {
    const cpu = this.#cpu;
    cpu.gcPhys = gcPhys;
    const { counts } = cpu.paging.pool;
    const { allocations } = counts;
    if (this.fill(linear, access)) {
      const host = cpu.hostAddress(linear, access);
      if (host >= 0) {
        this.#notes.synced(access, counts.allocations > allocations);
        return host;
      }
    }
    this.#notes.emulated(access, gcPhys);
    return Reach.EMULATE;
  }
}

/** End of the addresses that shadow tables can map. */
function reachOf({ levels }: ShadowPlan): number {
  return (levels[0].indexMask + 1) * 2 ** levels[0].shift;
}
