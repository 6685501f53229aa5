import { hex } from '../../../formats/errors.ts';
import { PAGE_SIZE } from '../../../formats/sizes.ts';
import type { AccountName } from '../../gmm/host-reservation.ts';
import { LAST_PAGE_ID, NIL_PAGE_ID, offsetInChunk, PAGES_PER_CHUNK } from '../../gmm/page-id.ts';
import type { HostBacking } from './host-backing.ts';
import { suspendLargePage } from './large-block.ts';
import { noPages, type PageCounts } from './page-counters.ts';
import { PAGE_STATE_NAMES, PAGE_TYPE_NAMES, PageState, PdeType } from './page-states.ts';
import { type BackingEffect, PAGE_EVENTS, type PageEvent, type PageTransition } from './page-transitions.ts';
import { pgmError } from './pgm-errors.ts';
import { PageFlag, type RamRange } from './ram-range.ts';

/** Pages are given back to the host in batches of this many (`GMMFREEPAGES_…`). */
const FREE_BATCH = 128;
/** Contents of pages without memory; never written. */
const ZERO_PAGE = new Uint8Array(PAGE_SIZE);

/** The pages of a machine: changes their states by the one table, and keeps the counts. */
export class GuestPages {
  readonly backing: HostBacking;
  readonly counts: PageCounts = noPages();
  /** Numbers of pages that were allocated in place of the zero page, and of a shared page. */
  readonly replaced = { zero: 0, shared: 0 };
  /** Called after type, state, host page or handlers of a page have changed, so that caches can follow. */
  onChange: ((range: RamRange, page: number) => void) | undefined;
  /** Tries to allocate the whole 2 MiB around a page at its first write. @returns whether it did */
  allocateLarge: ((range: RamRange, page: number) => boolean) | undefined;
  readonly #freed = new Uint32Array(FREE_BATCH);
  #freedCount = 0;
  readonly #one = new Uint32Array(1);

  constructor(backing: HostBacking) {
    this.backing = backing;
  }

  /**
   * Applies an event of the table to a page.
   * @throws UsageError or EnvironmentError: the table's refusal, VERR_EM_NO_MEMORY; nothing has changed then
   */
  apply(event: PageEvent, range: RamRange, page: number): void {
    const rule = PAGE_EVENTS[event];
    if (!rule.types.includes(range.type[page])) throw this.#refusal(event, rule.typeError, range, page);
    const from = range.state[page];
    const transition = rule.rows[from];
    if (transition.error) throw this.#refusal(event, transition.error, range, page);
    if (transition.effect && !this.#takeEffect(transition.effect, range, page)) return;
    // Descriptors that were never written take no memory, so values are written only if they change.
    if (transition.to !== from) range.state[page] = transition.to;
    this.#count(transition, range, page);
    if (transition.to !== from || transition.effect) this.changed(range, page);
  }

  /** Contents of a page, without calls of handlers: 4096 bytes, borrowed until the next call. */
  contentOf(range: RamRange, page: number): Uint8Array {
    const id = range.pageId[page];
    return id === NIL_PAGE_ID ? ZERO_PAGE : this.backing.pageBytes(id);
  }

  /**
   * Makes a page writable and gives the chunk that holds it; the page lies at `offsetInChunk(range.pageId[page])`.
   * Borrowed until the next call.
   * @throws UsageError, EnvironmentError as `apply`
   */
  writableChunk(range: RamRange, page: number): Uint8Array {
    if (range.state[page] !== PageState.ALLOCATED) this.apply('make-writable', range, page);
    return this.backing.chunkBytes(range.pageId[page]);
  }

  /**
   * Reserves and takes private pages of zeros for ROM or device memory.
   * @throws EnvironmentError, HostMemoryError when the host declines; then nothing is reserved or taken
   */
  allocate(account: AccountName, reservation: number, into: Uint32Array): void {
    this.backing.reserve(account, reservation);
    try {
      this.backing.allocatePages(account, into);
    } catch (error) {
      this.backing.reserve(account, -reservation);
      throw error;
    }
  }

  /**
   * Gives freed pages back to the host, and reports the number of ballooned ones. To be called at the end of each
   * operation that frees or balloons pages.
   */
  flush(): void {
    this.#freeBatch();
    this.backing.balloonTo(this.counts.ballooned);
  }

  #freeBatch(): void {
    if (this.#freedCount === 0) return;
    const ids = this.#freed.subarray(0, this.#freedCount);
    this.#freedCount = 0;
    this.backing.freePages('base', ids);
  }

  /** To be called after the type or handlers of a page have changed. */
  changed(range: RamRange, page: number): void {
    range.noteChange(page);
    if (range.pdeType(page) === PdeType.LARGE) suspendLargePage(range, page);
    this.onChange?.(range, page);
  }

  /** Sets the mark that a page was written, or clears it. */
  markWritten(range: RamRange, page: number, written: boolean): void {
    if (range.wasWritten(page) === written) return;
    range.flags[page] ^= PageFlag.WRITTEN_TO;
    this.counts.writtenTo += written ? 1 : -1;
  }

  #count({ counts, writtenTo }: PageTransition, range: RamRange, page: number): void {
    const own = this.counts;
    own.private += counts.private;
    own.zero += counts.zero;
    own.shared += counts.shared;
    own.monitored += counts.monitored;
    own.ballooned += counts.ballooned;
    if (writtenTo) this.markWritten(range, page, writtenTo === 'set');
  }

  /** @returns false when a large page was allocated, which leaves nothing to do */
  #takeEffect(effect: BackingEffect, range: RamRange, page: number): boolean {
    const { pageId } = range;
    switch (effect) {
      case 'allocate':
        if (range.pdeType(page) === PdeType.DONT_CARE && this.allocateLarge?.(range, page)) return false;
        pageId[page] = this.backing.takePage(range.addressOf(page));
        this.replaced.zero++;
        range.setPdeType(page, PdeType.PAGE_TABLE);
        break;
      case 'copy':
      case 'renew':
        this.#replaceShared(effect, range, page);
        break;
      case 'release':
      case 'unreference':
        this.#release(range, page);
        break;
      case 'clear': {
        const at = offsetInChunk(pageId[page]);
        this.backing.chunkBytes(pageId[page]).fill(0, at, at + PAGE_SIZE);
        break;
      }
      case 'exchange':
        break;
    }
    return true;
  }

  #replaceShared(effect: 'copy' | 'renew', range: RamRange, page: number): void {
    const shared = range.pageId[page];
    const own = this.backing.takePage(range.addressOf(page));
    if (effect === 'copy') this.backing.host.copyPage(shared, own);
    range.pageId[page] = own;
    this.replaced.shared++;
    range.setPdeType(page, PdeType.PAGE_TABLE);
    this.#one[0] = shared;
    this.backing.freePages('base', this.#one);
  }

  #release(range: RamRange, page: number): void {
    const id = range.pageId[page];
    if (id < PAGES_PER_CHUNK || id > LAST_PAGE_ID)
      throw this.#refusal('free', 'VERR_PGM_PHYS_INVALID_PAGE_ID', range, page);
    if (range.pdeType(page) === PdeType.LARGE) suspendLargePage(range, page);
    range.pageId[page] = NIL_PAGE_ID;
    range.setPdeType(page, PdeType.DONT_CARE);
    this.#freed[this.#freedCount++] = id;
    if (this.#freedCount === FREE_BATCH) this.#freeBatch();
  }

  #refusal(event: PageEvent, name: Parameters<typeof pgmError>[0], range: RamRange, page: number): Error {
    const gcPhys = range.addressOf(page);
    const type = PAGE_TYPE_NAMES[range.type[page]];
    const state = PAGE_STATE_NAMES[range.state[page]];
    return pgmError(
      name,
      `Cannot ${VERBS[event]} page at ${hex(gcPhys)}: it is of type ${type}, ${state}, page id ` +
        `${hex(range.pageId[page])}`,
      { gcPhys },
    );
  }
}

const VERBS: Readonly<Record<PageEvent, string>> = {
  'make-writable': 'make writable',
  free: 'free',
  balloon: 'balloon',
  deflate: 'deflate',
  monitor: 'monitor',
  unmonitor: 'end monitoring of',
  'release-write-lock': 'unlock',
  share: 'share',
  reset: 'reset',
  'reset-preallocated': 'reset',
};
