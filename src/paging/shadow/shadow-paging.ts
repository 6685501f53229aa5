import { UsageError } from '../../../formats/errors.ts';
import { PAGE_SIZE } from '../../../formats/sizes.ts';
import { clock } from '../../../formats/world/waiting.ts';
import type { GuestMemory } from '../../pgm/guest-memory.ts';
import { PageState } from '../../pgm/pages/page-states.ts';
import type { RamRange } from '../../pgm/pages/ram-range.ts';
import type { RawMode } from '../mappings/raw-mode.ts';
import { DEFAULT_POOL_PAGES, ShadowPool } from '../pool/pool.ts';
import { TableMonitor } from '../pool/table-monitor.ts';
import { ShadowEvents } from './paging-events.ts';
import { ShadowCpu } from './shadow-cpu.ts';
import { ShadowMappings } from './shadow-mappings.ts';
import type { ModeChangeHooks, ShadowPagingOptions } from './shadow-state.ts';
import { VirtualHandlers } from './virtual-handlers.ts';

/**
 * Shadow paging of one machine: a pool of tables that all CPUs share, updated on every change of the guest's memory.
 */
export class ShadowPaging {
  /** Memory of the guest. */
  readonly memory: GuestMemory;
  /** Options as given. */
  readonly options: ShadowPagingOptions;
  /** @internal */
  readonly events = new ShadowEvents();
  /** @internal */
  readonly hooks: ModeChangeHooks;
  /** @internal */
  readonly monitor: TableMonitor;
  /** The tables of all CPUs. */
  readonly pool: ShadowPool;
  /** CPUs by number; one unless options tell otherwise. */
  readonly cpus: readonly ShadowCpu[];

  /** @internal */
  readonly mappings: ShadowMappings;
  #rawMode: RawMode | undefined;
  /** Handlers of virtual addresses. */
  readonly virtualHandlers: VirtualHandlers;

  /** @param hooks told of mode changes */
  constructor(memory: GuestMemory, options: ShadowPagingOptions, hooks: ModeChangeHooks = {}) {
    const { cpus = 1, poolPages = DEFAULT_POOL_PAGES, extents } = options;
    if (cpus < 1 || cpus > poolPages / 16)
      throw new UsageError(
        'bad-cpu-count',
        `Cannot shadow ${cpus} CPUs in ${poolPages} tables: expected 16 tables each`,
      );
    this.memory = memory;
    this.options = options;
    this.hooks = hooks;
    this.monitor = new TableMonitor(memory);
    this.pool = new ShadowPool(this.monitor, poolPages, extents);
    this.pool.tracking.onAdd = (event) => this.events.count(event);
    this.monitor.attach(this.pool);
    const { onChange } = memory.pages;
    memory.pages.onChange = (range, page) => {
      onChange?.(range, page);
      this.#pageChanged(range, page);
    };
    this.mappings = new ShadowMappings(this);
    this.pool.onMappingWritten = () => {
      for (const { cr3 } of this.cpus) cr3.requestSync();
    };
    this.virtualHandlers = new VirtualHandlers(this);
    memory.virtualHandlers = this.virtualHandlers;
    this.cpus = Array.from({ length: cpus }, (_, id) => new ShadowCpu(this, id));
  }

  /** Raw mode: the hypervisor's mappings in the guest's address space. */
  get rawMode(): RawMode | undefined {
    return this.#rawMode;
  }

  set rawMode(rawMode: RawMode | undefined) {
    this.#rawMode = rawMode;
    if (rawMode) rawMode.mappings.onChange = () => this.mappings.renew();
    this.mappings.renew();
  }

  /** Empties all tables that map pages, and lets every CPU sync anew. */
  clearAll(): void {
    this.pool.clearAll();
    for (const cpu of this.cpus) cpu.poolWasCleared();
  }

  /** Gives up all tables and builds the roots anew, as at a reset. */
  flushAll(): void {
    for (const cpu of this.cpus) cpu.leave();
    this.pool.flushAll();
    for (const cpu of this.cpus) cpu.reenter();
  }

  /** Drops the shadow entries of a page whose state, host page or handlers have changed. */
  #pageChanged(range: RamRange, page: number): void {
    const frame = range.start / PAGE_SIZE + page;
    // A guest table that has lost its memory has lost its entries, without a write.
    const hasLostContent = range.state[page] === PageState.ZERO || range.state[page] === PageState.BALLOONED;
    if (hasLostContent && this.monitor.isWatched(frame)) this.monitor.noteWrite(frame * PAGE_SIZE, PAGE_SIZE);
    if (!this.pool.tracking.isTracked(frame)) return;
    const start = clock();
    this.pool.clearFrame(frame);
    this.events.time('Track/Deref', start);
  }
}
