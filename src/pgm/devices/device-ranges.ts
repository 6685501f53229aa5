import type { PhysHandlers } from '../access/phys-handlers.ts';
import type { GuestPages } from '../pages/guest-pages.ts';
import type { RangeList } from '../pages/range-list.ts';

/** Ranges of one kind that devices have in guest memory. */
export class DeviceRanges {
  /** Ranges of guest memory. @internal */
  protected readonly ranges: RangeList;
  /** Pages of guest memory. @internal */
  protected readonly pages: GuestPages;
  /** Handlers of accesses. @internal */
  protected readonly handlers: PhysHandlers;

  constructor(ranges: RangeList, pages: GuestPages, handlers: PhysHandlers) {
    this.ranges = ranges;
    this.pages = pages;
    this.handlers = handlers;
  }
}
