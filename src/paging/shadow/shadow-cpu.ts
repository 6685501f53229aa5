import { type GuestPhys, type GuestVirt, PAGE_SIZE } from '../../../formats/sizes.ts';
import { clock } from '../../../formats/world/waiting.ts';
import { AddressSpace, rulesOf } from '../address-space.ts';
import { GuestView } from '../guest-view.ts';
import { hasPaging, type PagingMode, pagingModeOf, type ShadowMode } from '../modes.ts';
import { faultOf, NO_FAULT } from '../page-fault.ts';
import { NIL_INDEX } from '../pool/pool-pages.ts';
import { A, schemeOf } from '../schemes.ts';
import { Walker, WalkStatus } from '../walker.ts';
import { Cr3 } from './cr3.ts';
import { readGuest, writeGuest } from './guest-access.ts';
import { lookUp, type ShadowLookup } from './lookup.ts';
import { changeMode } from './mode-change.ts';
import { PageFaults } from './page-faults.ts';
import { CpuEvents } from './paging-events.ts';
import type { ShadowPlan } from './plan.ts';
import type { CpuCounts, ModeChangeStatus, Registers, ShadowedMachine } from './shadow-state.ts';
import { NEEDS, Tlb } from './tlb.ts';
import { isInMapping } from './trap-notes.ts';

/**
 * One CPU on shadow tables: its registers, and translation as far as the shadow tables have it. Accesses of its guest
 * go through `read`, `write` and `reach`.
 */
export class ShadowCpu {
  /** @internal */
  readonly paging: ShadowedMachine;
  /** Number of the CPU. */
  readonly id: number;
  /** Memory through the CPU's A20 gate. */
  readonly view: GuestView;
  /** Counts since the CPU was made. */
  readonly counts: CpuCounts = {
    modeChanges: 0,
    newCr3: 0,
    newCr3Global: 0,
    sameCr3: 0,
    sameCr3Global: 0,
    syncGlobal: 0,
    syncNotGlobal: 0,
    guestFaults: 0,
    synced: 0,
    emulated: 0,
    invalidated: 0,
  };
  /** @internal */
  readonly events = new CpuEvents();
  /** @internal */
  readonly cr3: Cr3;
  /** @internal */
  readonly tlb = new Tlb();

  /** Control registers as they were last set. */
  registers: Registers = { cr0: 0n, cr3: 0n, cr4: 0n, efer: 0n };
  /** Undefined before the first mode change, and after one that failed. */
  guestMode: PagingMode | undefined;
  /** Mode of the tables that the CPU runs on; undefined as `guestMode`. */
  shadowMode: ShadowMode | undefined;
  /** @internal */
  plan: ShadowPlan | undefined;
  /** The guest's own tables; undefined without paging. @internal */
  walker: Walker | undefined;
  /** Pool index of the table that the CPU runs on; `NIL_INDEX`: none, every access is emulated. */
  root = NIL_INDEX;
  /** The last fault: its address and error code. */
  cr2: GuestVirt = 0n;
  /** Bits as x86 pushes them: 1 present, 2 write, 4 user, 8 reserved bit, 16 fetch. */
  faultCode = 0;
  /** Guest-physical address of the last access that has to be emulated. */
  gcPhys: GuestPhys = 0;
  readonly #faults = new PageFaults(this);
  readonly #found: ShadowLookup = { host: -1, rights: 0, executable: false };

  constructor(paging: ShadowedMachine, id: number) {
    this.paging = paging;
    this.id = id;
    this.view = new GuestView(paging.memory, id);
    this.cr3 = new Cr3(this);
    this.setRegisters(this.registers);
  }

  /**
   * Sets all control registers at once: changes the mode, loads CR3, or applies changed rules (such as WP and NXE), as
   * needed.
   */
  setRegisters(registers: Registers): ModeChangeStatus {
    const old = this.registers;
    this.registers = { ...registers };
    const mode = pagingModeOf(registers);
    if (mode !== this.guestMode) return changeMode(this, mode);
    if (!hasPaging(mode)) return 'ok';
    const rules = this.#rules();
    const current = this.walker?.rules;
    const isReadOtherwise = rules.pse !== current?.pse || rules.nxe !== current.nxe;
    if (rules.wp !== current?.wp || isReadOtherwise) this.refreshWalker();
    if (isReadOtherwise) {
      this.cr3.requestSync();
      return this.cr3.map();
    }
    return registers.cr3 === old.cr3 ? 'ok' : this.cr3.load();
  }

  /** A move to CR3, also of an unchanged value, which latches PAE's page-directory pointers again. */
  loadCr3(value: bigint): ModeChangeStatus {
    this.registers = { ...this.registers, cr3: value };
    return this.guestMode && hasPaging(this.guestMode) ? this.cr3.load() : 'ok';
  }

  /** Restores PAE's page-directory pointers, as latched by an earlier load of CR3. @internal */
  latch(pointers: readonly bigint[]): void {
    this.cr3.latch(pointers);
  }

  /** Makes the walker fit the registers; root and latched pointers stay. @internal */
  refreshWalker(): void {
    const scheme = this.guestMode && schemeOf(this.guestMode);
    const before = this.walker;
    this.walker = scheme && new Walker(this.view, scheme, this.#rules());
    if (this.walker && before) {
      this.walker.root = before.root;
      this.walker.latched = before.latched;
    }
    this.#faults.renewSync();
    this.tlb.flush();
  }

  /**
   * Host-physical address of a byte, if the shadow tables map it already; otherwise -1. Addresses are numbers, as in
   * `Walker`.
   */
  hostAddress(linear: number, access: number): number {
    // With the A20 gate off, the CPU accesses another page than its tables map.
    const { a20 } = this.paging.memory;
    if (!a20.isAllOn && !a20.isOn(this.id)) return -1;
    const { generation } = this.paging.pool;
    const known = this.tlb.find(linear, access, generation);
    if (known >= 0 || this.root === NIL_INDEX || !this.plan) return known;
    const found = lookUp(this.paging.pool, this.plan, this.root, linear, this.#found);
    if (found.host < 0) return -1;
    if (!this.plan.nested) this.tlb.put(linear, found.host, found.rights, found.executable, generation);
    const has = found.rights | (found.executable ? 1 : 0);
    return (NEEDS[access] & ~has) === 0 ? found.host : -1;
  }

  /**
   * Maps a byte as a page fault would. @returns its host-physical address; or `EMULATE`, with the guest-physical
   * address in `gcPhys`; or `FAULT`, with the guest's error code in `faultCode`
   */
  reach(linear: number, access: number): number {
    if (this.cr3.isSyncPending) this.cr3.sync();
    if (this.plan?.nested) return this.#faults.reachNested(linear, access);
    const known = this.hostAddress(linear, access);
    return known >= 0 ? known : this.#faults.reach(linear, access);
  }

  /** @returns `NO_FAULT`, or the page fault's code; `cr2` is its address. Bytes before it have been read */
  read(address: GuestVirt, target: Uint8Array, access = 0): number {
    return readGuest(this, address, target, access);
  }

  /** As `read`. */
  write(address: GuestVirt, source: Uint8Array, access = 0): number {
    return writeGuest(this, address, source, access);
  }

  /** Invalidates a page, as INVLPG does: shadow entries are right already, so only the TLB forgets it. */
  invalidatePage(address: GuestVirt): void {
    const start = clock();
    this.counts.invalidated++;
    this.paging.virtualHandlers.invalidate(address);
    const linear = this.space().linear(address);
    if (linear !== undefined) this.#forgetPage(linear);
    this.events.time('R3/InvalidatePage', start);
  }

  #forgetPage(linear: number): void {
    const { walker, events } = this;
    this.tlb.flushPage(linear);
    if (!walker) return;
    const isMapped = walker.walk(linear) === WalkStatus.MAPPED;
    if (!isMapped) events.count('R3/InvalidatePage/PDNPs');
    else events.count(walker.pageSize > PAGE_SIZE ? 'R3/InvalidatePage/4MBPages' : 'R3/InvalidatePage/4KBPages');
    if (!isInMapping(this, linear)) return;
    if (isMapped) this.paging.events.count('RC/InvlPgConflict');
    else events.count('R3/InvalidatePage/PDMappings');
  }

  /** Maps a page before its first use, unless an accessed bit would have to be set (`PGMPrefetchPage`). */
  prefetch(address: GuestVirt): void {
    const linear = this.space().linear(address);
    if (linear === undefined || !this.walker || this.plan?.nested || this.cr3.isSyncPending) return;
    const start = clock();
    this.walker.walk(linear);
    if (faultOf(this.walker, 0) === NO_FAULT && (this.walker.rights & A) !== 0) this.#faults.fill(linear, 0);
    this.events.time('R3/Prefetch', start);
  }

  /** The guest's virtual memory by its present tables, with latched pointers. */
  space(): AddressSpace {
    const { features, physicalBits } = this.paging.options;
    const pdptes = this.cr3.latched;
    return new AddressSpace(this.view, this.registers, {
      features,
      physicalBits,
      pdptes,
      a20Enabled: this.paging.memory.a20.isOn(this.id),
    });
  }

  /** @internal */
  poolWasCleared(): void {
    this.cr3.requestSync();
  }

  /** Gives up the root; `reenter` builds one again. */
  leave(): void {
    this.cr3.unmap();
    this.shadowMode = undefined;
  }

  /** Builds the root again after `leave`. */
  reenter(): ModeChangeStatus {
    return changeMode(this, pagingModeOf(this.registers));
  }

  /** @internal */
  directoryFor(linear: number): number {
    return this.#faults.directoryFor(linear);
  }

  #rules() {
    const { features, physicalBits } = this.paging.options;
    return rulesOf(this.registers, { features, physicalBits });
  }
}
