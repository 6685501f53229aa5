import { type GuestPhys, PAGE_SIZE } from '../../../formats/sizes.ts';
import { NIL_PAGE_ID } from '../../gmm/page-id.ts';
import type { GuestPages } from '../pages/guest-pages.ts';
import { HandlerState, PageState, PageType } from '../pages/page-states.ts';
import type { RamRange } from '../pages/ram-range.ts';
import type { RangeList } from '../pages/range-list.ts';
import { HANDLER_STATE_OF, type HandlerList, type PhysHandler } from './handler-list.ts';

/** Marks of pages that make accesses look for a handler, and aliases in place of MMIO pages. */
export class HandlerMarks {
  readonly #ranges: RangeList;
  readonly #pages: GuestPages;
  readonly #list: HandlerList;

  constructor(ranges: RangeList, pages: GuestPages, list: HandlerList) {
    this.#ranges = ranges;
    this.#pages = pages;
    this.#list = list;
  }

  /** The strongest mark that the handlers in a page need. */
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

  /** Raises the marks of a handler's pages to the mark that it needs. */
  raise({ kind, start, end }: PhysHandler, range: RamRange): void {
    const wish = HANDLER_STATE_OF[kind];
    for (let page = range.pageOf(start); page <= range.pageOf(end - 1); page++) {
      if (range.type[page] !== PageType.MMIO2_ALIAS_MMIO && range.handler[page] < wish) this.set(range, page, wish);
    }
  }

  /** Lowers the marks of a removed handler's pages to those that the remaining handlers need. */
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
