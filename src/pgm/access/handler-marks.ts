import { type GuestPhys, PAGE_SIZE } from '../../../formats/sizes.ts';
import { NIL_PAGE_ID } from '../../gmm/page-id.ts';
import type { GuestPages } from '../pages/guest-pages.ts';
import { HandlerState, PageState, PageType } from '../pages/page-states.ts';
import type { RamRange } from '../pages/ram-range.ts';
import type { RangeList } from '../pages/range-list.ts';
import { HANDLER_STATE_OF, type HandlerList, type PhysHandler } from './handler-list.ts';

/** What pages carry of their handlers: marks that make accesses look for one, and aliases in the place of MMIO. */
export class HandlerMarks {
  readonly #ranges: RangeList;
  readonly #pages: GuestPages;
  readonly #list: HandlerList;

  constructor(ranges: RangeList, pages: GuestPages, list: HandlerList) {
    this.#ranges = ranges;
    this.#pages = pages;
    this.#list = list;
  }

  /** The strongest wish of the handlers that touch a page. */
  wishFor(pageStart: GuestPhys): number {
    let wish: number = HandlerState.NONE;
    for (let at = pageStart; at < pageStart + PAGE_SIZE; ) {
      const handler = this.#list.atOrAbove(at);
      if (handler === undefined || handler.start >= pageStart + PAGE_SIZE) break;
      wish = Math.max(wish, HANDLER_STATE_OF[handler.kind]);
      at = handler.end;
    }
    return wish;
  }

  set(range: RamRange, page: number, state: number): void {
    range.handler[page] = state;
    this.#pages.changed(range, page);
  }

  /** Marks the pages of a handler with what it wants where they had less. */
  raise({ kind, start, end }: PhysHandler, range: RamRange): void {
    const wish = HANDLER_STATE_OF[kind];
    for (let page = range.pageOf(start); page <= range.pageOf(end - 1); page++) {
      if (range.type[page] !== PageType.MMIO2_ALIAS_MMIO && range.handler[page] < wish) this.set(range, page, wish);
    }
  }

  /** Marks the pages of a handler that is gone with what the others in them want. */
  lower(handler: PhysHandler): void {
    const range = this.#ranges.get(handler.start);
    if (handler.kind === 'mmio') this.dropAliases(handler);
    for (let page = range.pageOf(handler.start); page <= range.pageOf(handler.end - 1); page++)
      this.set(range, page, this.wishFor(range.addressOf(page)));
  }

  /** Ends the aliases of a handler's pages: all, or those that show certain pages of the host. */
  dropAliases({ start, end }: PhysHandler, shown?: ReadonlySet<number>): void {
    const range = this.#ranges.get(start);
    for (let page = range.pageOf(start); page <= range.pageOf(end - 1); page++) {
      if (range.type[page] === PageType.MMIO2_ALIAS_MMIO && (shown?.has(range.pageId[page]) ?? true))
        this.dropAlias(range, page);
    }
  }

  dropAlias(range: RamRange, page: number): void {
    range.type[page] = PageType.MMIO;
    range.state[page] = PageState.ZERO;
    range.pageId[page] = NIL_PAGE_ID;
    this.set(range, page, HandlerState.ALL);
  }
}
