import { isZero } from '../../../formats/kernels/zero.ts';
import { type GuestPhys, PAGE_SIZE } from '../../../formats/sizes.ts';
import { NIL_PAGE_ID, offsetInChunk } from '../../gmm/page-id.ts';
import type { GuestPages } from './guest-pages.ts';
import { suspendLargePage } from './large-block.ts';
import { PageState, PageType, PdeType } from './page-states.ts';
import type { RamRange } from './ram-range.ts';
import type { RangeList } from './range-list.ts';
import type { WriteMonitor } from './write-monitor.ts';

/** A request to a machine about one of its pages. */
export type PageRequest = {
  readonly gcPhys: GuestPhys;
  /** The request holds only as long as this is the page's ID. */
  readonly pageId: number;
} & (
  | { readonly what: 'drop-zeros' | 'share' | 'move' }
  /** The machine is to refer to a shared page with the same bytes in place of its own. */
  | { readonly what: 'exchange'; readonly sharedId: number }
);

/** `'refused'`: the precondition does not hold any more, or never did. */
export type RequestOutcome = 'done' | 'refused';
export type OnOutcome = (outcome: RequestOutcome) => void;

/**
 * Requests of others to a machine (guest-memory.md 8.6). They are made while the machine may run, so each has a
 * precondition, which is checked when the request is made, and again when the machine, its CPUs stopped, carries it
 * out.
 */
export class PageRequests {
  readonly #ranges: RangeList;
  readonly #pages: GuestPages;
  readonly #monitor: WriteMonitor;
  /** By address: one for each page. */
  #waiting = new Map<GuestPhys, { request: PageRequest; onOutcome: OnOutcome | undefined }>();

  constructor(ranges: RangeList, pages: GuestPages, monitor: WriteMonitor) {
    this.#ranges = ranges;
    this.#pages = pages;
    this.#monitor = monitor;
  }

  /** Requests that wait for `run`. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /**
   * Puts a request in the queue; refuses it at once if its precondition does not hold now, or another one for the same
   * page waits.
   */
  ask(request: PageRequest, onOutcome?: OnOutcome): void {
    if (this.#pageFor(request) && !this.#waiting.has(request.gcPhys))
      this.#waiting.set(request.gcPhys, { request, onOutcome });
    else onOutcome?.('refused');
  }

  /** Carries out the waiting requests. Called by the machine when no CPU runs. @returns how many requests were done */
  run(): number {
    const requests = this.#waiting;
    this.#waiting = new Map();
    let done = 0;
    for (const { request, onOutcome } of requests.values()) {
      const outcome = this.carryOut(request);
      if (outcome === 'done') done++;
      onOutcome?.(outcome);
    }
    return done;
  }

  /** Checks a request and carries it out at once, CPUs stopped. */
  carryOut(request: PageRequest): RequestOutcome {
    const found = this.#pageFor(request);
    return found && this.#change(request, found.range, found.page) ? 'done' : 'refused';
  }

  /** Moves the machine's RAM, as far as possible, out of host pages that are to become free. */
  moveOut(isLeaving: (pageId: number) => boolean): void {
    for (const range of this.#ranges) {
      for (let page = 0; page < range.pages; page++) {
        const pageId = range.pageId[page];
        if (pageId !== NIL_PAGE_ID && isLeaving(pageId))
          this.carryOut({ what: 'move', gcPhys: range.addressOf(page), pageId });
      }
    }
  }

  /** The page that a request is about, if its precondition holds. */
  #pageFor(request: PageRequest): { range: RamRange; page: number } | undefined {
    const range = this.#ranges.find(request.gcPhys);
    if (!range) return undefined;
    const page = range.pageOf(request.gcPhys);
    const isPlain = range.type[page] === PageType.RAM && range.readLocks[page] === 0 && range.writeLocks[page] === 0;
    if (!isPlain || range.pageId[page] !== request.pageId) return undefined;
    return this.#mayChange(request, range.state[page]) ? { range, page } : undefined;
  }

  /**
   * Whether a request may change a page now: a monitor's user wants to see each change of content or state, but a move
   * changes neither.
   */
  #mayChange({ what }: PageRequest, state: number): boolean {
    if (what === 'move') return state === PageState.ALLOCATED || state === PageState.WRITE_MONITORED;
    return state === PageState.ALLOCATED && this.#monitor.user === undefined;
  }

  #change(request: PageRequest, range: RamRange, page: number): boolean {
    const { host, account } = this.#pages.backing;
    const { pageId } = request;
    switch (request.what) {
      case 'drop-zeros':
        if (!isZero(host.chunkBytes(pageId), offsetInChunk(pageId), PAGE_SIZE)) return false;
        this.#pages.apply('free', range, page);
        this.#pages.flush();
        return true;
      case 'share':
        if (host.isSeeded) return false;
        account.sharePage(pageId);
        this.#pages.apply('share', range, page);
        return true;
      case 'exchange':
        if (host.stateOf(request.sharedId) !== 'shared' || !host.areEqual(pageId, request.sharedId)) return false;
        account.exchangeForShared(pageId, request.sharedId);
        range.pageId[page] = request.sharedId;
        this.#pages.apply('share', range, page);
        return true;
      case 'move':
        return this.#moveTo(account.movePage(pageId), range, page);
    }
  }

  #moveTo(pageId: number, range: RamRange, page: number): boolean {
    if (pageId === NIL_PAGE_ID) return false;
    // The block of 2 MiB is no longer in one piece.
    suspendLargePage(range, page);
    range.setPdeType(page, PdeType.PAGE_TABLE);
    range.pageId[page] = pageId;
    this.#pages.changed(range, page);
    return true;
  }
}
