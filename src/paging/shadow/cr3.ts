import { PAGE_SIZE } from '../../../formats/sizes.ts';
import { clock } from '../../../formats/world/waiting.ts';
import { PageState, PageType } from '../../pgm/pages/page-states.ts';
import { halvesOf, latchPdptes, pointersOf } from '../address-space.ts';
import { guestDirectory } from '../mappings/guest-directory.ts';
import { CR4_PGE, hasPaging } from '../modes.ts';
import { NIL_INDEX } from '../pool/pool-pages.ts';
import { P, PAGE_MASK_64 } from '../schemes.ts';
import type { ModeChangeStatus, RootState, ShadowedCpu } from './shadow-state.ts';

/** Base of the keys of roots that shadow no guest table: beyond all real addresses. */
const MADE_UP = 2 ** 63;
const MADE_UP_NARROW = 2 ** 62;

/**
 * The root of one CPU's shadow tables, and its pending syncs, which have to be done before the guest runs on (paging.md
 * 4).
 */
export class Cr3 implements RootState {
  readonly #cpu: ShadowedCpu;
  /** Pending sync of CR3 (forced action), with or without global pages. */
  #sync: 'no' | 'non-global' | 'global' = 'no';
  /** Sync flags: virtual handlers have changed; sync always (a debugger's toggle); the root could not be mapped. */
  readonly flags = { updateVirtual: false, always: false, mapCr3: false };
  /** PAE's page-directory pointers, as latched by the last load. */
  latched: readonly bigint[] | undefined;

  constructor(cpu: ShadowedCpu) {
    this.#cpu = cpu;
  }

  get isSyncPending(): boolean {
    return this.#sync !== 'no';
  }

  /** Drops the pending sync. */
  dropSync(): void {
    this.#sync = 'no';
  }

  requestSync(kind: 'non-global' | 'global' = 'global'): void {
    if (this.#sync !== 'global') this.#sync = kind;
  }

  /** A move to CR3 (`PGMFlushTLB`): the same value only flushes translations. */
  load(): ModeChangeStatus {
    const start = clock();
    const status = this.#load();
    this.#cpu.events.time('R3/FlushTLB', start);
    return status;
  }

  #load(): ModeChangeStatus {
    const { counts, events, walker, registers, tlb } = this.#cpu;
    const isGlobal = (registers.cr4 & CR4_PGE) === 0n;
    this.requestSync(isGlobal ? 'global' : 'non-global');
    tlb.flush();
    if (!walker) return 'ok';
    const root = Number(registers.cr3 & walker.scheme.rootMask);
    const isSame = root === walker.root && !this.flags.mapCr3;
    counts[isSame ? (isGlobal ? 'sameCr3Global' : 'sameCr3') : isGlobal ? 'newCr3Global' : 'newCr3']++;
    events.count(`R3/FlushTLB/${isSame ? 'Same' : 'New'}CR3${isGlobal ? 'Global' : ''}`);
    return isSame && !walker.scheme.latchesRoot ? 'ok' : this.map();
  }

  /** Takes and locks the root for CR3; the previous root is unlocked. Latches PAE's page-directory pointers. */
  map(): ModeChangeStatus {
    const cpu = this.#cpu;
    const { walker, plan, registers } = cpu;
    if (!walker || !plan) return 'ok';
    walker.root = Number(registers.cr3 & walker.scheme.rootMask);
    walker.latched = walker.scheme.latchesRoot ? latchPdptes(cpu.view, walker.root) : undefined;
    this.latched = walker.latched && pointersOf(walker.latched);
    this.flags.mapCr3 = !this.#backRoot(walker.root);
    if (plan.nested) return this.flags.mapCr3 ? 'cr3-not-in-memory' : 'ok';
    this.takeRoot(this.flags.mapCr3 ? undefined : walker.root);
    return this.flags.mapCr3 ? 'cr3-not-in-memory' : 'ok';
  }

  /** Restores PAE's page-directory pointers out of a saved state: memory may hold others now. */
  latch(pointers: readonly bigint[]): void {
    const { walker } = this.#cpu;
    if (!walker?.scheme.latchesRoot) return;
    walker.latched = halvesOf(pointers);
    this.latched = pointers;
    // The pointers lead to other directories, so mappings have to be inserted again.
    this.#cpu.paging.mappings.insert(this.#cpu);
    this.#cpu.tlb.flush();
  }

  /** Takes and locks a root: for the guest table at `address`, or for none in plans without one. */
  takeRoot(address: number | undefined): void {
    const cpu = this.#cpu;
    const { plan, paging, walker } = cpu;
    const before = cpu.root;
    cpu.root = NIL_INDEX;
    if (plan && (plan.rootKey === 'made-up' || address !== undefined)) {
      const wide = plan.levels[0].wide;
      const key = plan.rootKey === 'made-up' ? (wide ? MADE_UP : MADE_UP_NARROW) : (address as number);
      const rules = plan.rootKey === 'cr3' && walker ? (walker.rules.nxe ? 16 : 0) | (walker.rules.pse ? 32 : 0) : 0;
      cpu.root = paging.pool.take(plan.root, key, { tag: rules | plan.levels.length, wide, cached: !plan.ownRoot });
      if (cpu.root !== NIL_INDEX) paging.pool.lock(cpu.root);
    }
    paging.mappings.insert(cpu);
    this.#show();
    if (before !== NIL_INDEX) paging.pool.unlock(before);
    cpu.tlb.flush();
  }

  unmap(): void {
    const { root, paging } = this.#cpu;
    paging.mappings.remove(this.#cpu);
    if (this.#cpu.id === 0) paging.rawMode?.cr3Area.unmap();
    this.#cpu.root = NIL_INDEX;
    if (root !== NIL_INDEX) paging.pool.unlock(root);
    this.#cpu.tlb.flush();
  }

  /** Does the pending sync (`PGMSyncCR3`). Shadow entries are right already. */
  sync(): void {
    const cpu = this.#cpu;
    const { virtualHandlers } = cpu.paging;
    const start = clock();
    const isGlobal = this.#sync === 'global';
    cpu.counts[isGlobal ? 'syncGlobal' : 'syncNotGlobal']++;
    cpu.events.count(isGlobal ? 'R3/SyncCR3/Global' : 'R3/SyncCR3/NotGlobal');
    if (this.flags.mapCr3 && cpu.guestMode && hasPaging(cpu.guestMode)) this.#mapAgain();
    if (!cpu.plan?.nested) {
      const handlersStart = clock();
      virtualHandlers.update(cpu, this.flags.updateVirtual);
      cpu.events.time('R3/SyncCR3/Handlers', handlersStart);
      this.flags.updateVirtual = false;
      this.#makeRoom();
      cpu.paging.mappings.insert(cpu);
      this.#show();
    }
    // The request ends after the steps above, since these may request a sync, too.
    if (!this.flags.always) this.#sync = 'no';
    cpu.tlb.flush();
    cpu.events.time('R3/SyncCR3', start);
  }

  /**
   * Maps the guest's own root, and PAE's directories, into raw mode's window. There is one window, for the first CPU.
   */
  #show(): void {
    const { id, paging, walker, view } = this.#cpu;
    const { memory, rawMode } = paging;
    if (!rawMode || !walker || id !== 0) return;
    const hostOf = (gcPhys: number) => memory.hostPageOf(view.physical(gcPhys)) * PAGE_SIZE || undefined;
    const directories = this.latched?.map((pointer) =>
      (pointer & BigInt(P)) === 0n ? undefined : hostOf(Number(pointer & PAGE_MASK_64)),
    );
    const root = hostOf(walker.root);
    if (root === undefined) rawMode.cr3Area.unmap();
    else rawMode.cr3Area.map(root, directories);
  }

  /** Maps the root again, since its address may have memory by now. Latched pointers stay. */
  #mapAgain(): void {
    const pointers = this.latched;
    this.map();
    if (pointers) this.latch(pointers);
  }

  /** Mappings move out of the guest's way. */
  #makeRoom(): void {
    const { walker, paging } = this.#cpu;
    const { rawMode, events } = paging;
    if (!rawMode || !walker || walker.scheme.name === 'long') return;
    const directory = guestDirectory(walker);
    const conflicts = rawMode.mappings.conflictsWith(directory);
    if (conflicts.length === 0) return;
    for (const _ of conflicts) events.count('R3/DetectedConflicts');
    const start = clock();
    rawMode.mappings.resolveConflicts(directory);
    events.time('R3/ResolveConflict', start);
  }

  /**
   * Allocates memory for a root page of zeros, since mapping it counts as a write. @returns false where there is no
   * memory
   */
  #backRoot(root: number): boolean {
    const { view, paging } = this.#cpu;
    const { memory } = paging;
    if (!view.holdsTables(root)) return false;
    const at = view.physical(root);
    const range = memory.ranges.get(at);
    const page = range.pageOf(at - (at % PAGE_SIZE));
    if (range.type[page] === PageType.RAM && range.state[page] === PageState.ZERO)
      memory.pages.apply('make-writable', range, page);
    return true;
  }
}
