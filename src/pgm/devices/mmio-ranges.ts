import { hex } from '../../../formats/errors.ts';
import { type GuestPhys, PAGE_SIZE } from '../../../formats/sizes.ts';
import type { HandlerCallback } from '../access/handler-list.ts';
import { checkStretch } from '../pages/check-stretch.ts';
import { PageType, PdeType } from '../pages/page-states.ts';
import { pgmError } from '../pages/pgm-errors.ts';
import { RamRange } from '../pages/ram-range.ts';
import { DeviceRanges } from './device-ranges.ts';
import { findOverlaid, freeOverlaid } from './overlay.ts';

/** Device registers in guest memory: each access goes to the device's callback (guest-memory.md 9.5). */
export class MmioRanges extends DeviceRanges {
  /**
   * Puts device registers into a hole, or over RAM, whose content is lost.
   * @throws UsageError VERR_INVALID_PARAMETER, VERR_PGM_RAM_CONFLICT, VERR_PGM_HANDLER_PHYSICAL_CONFLICT
   */
  register(start: GuestPhys, size: number, description: string, callback: HandlerCallback): void {
    checkStretch(`register MMIO ${description}`, start, size);
    if (description === '')
      throw pgmError('VERR_INVALID_PARAMETER', `Cannot register MMIO at ${hex(start)}: it has no description`);
    const overlaid = findOverlaid(this.ranges, description, start, size, [PageType.RAM, PageType.MMIO]);
    const other = this.handlers.list.atOrAbove(start);
    if (other && other.start < start + size)
      throw pgmError(
        'VERR_PGM_HANDLER_PHYSICAL_CONFLICT',
        `Cannot register MMIO ${description}: handler ${other.description} covers ${hex(other.start)}`,
      );
    if (overlaid) {
      freeOverlaid(this.pages, overlaid);
      overlaid.range.type.fill(PageType.MMIO, overlaid.first, overlaid.last + 1);
    } else {
      const pages = size / PAGE_SIZE;
      this.ranges.insert(new RamRange(start, pages, 'mmio', description));
      this.pages.counts.all += pages;
      this.pages.counts.pureMmio += pages;
    }
    this.handlers.register({ kind: 'mmio', start, end: start + size, description, callback });
  }

  /**
   * Removes device registers: the hole is back, or the RAM, as zeros. @throws UsageError VERR_PGM_HANDLER_NOT_FOUND,
   * VERR_NOT_FOUND
   */
  deregister(start: GuestPhys, size: number): void {
    checkStretch('deregister MMIO', start, size);
    const { kind, end } = this.handlers.list.get(start);
    if (kind !== 'mmio' || end !== start + size)
      throw pgmError(
        'VERR_NOT_FOUND',
        `Cannot deregister MMIO at ${hex(start)}–${hex(start + size - 1)}: no such range was registered`,
        { gcPhys: start },
      );
    const range = this.ranges.get(start);
    this.handlers.deregister(start);
    if (range.kind === 'mmio') {
      this.ranges.remove(range);
      this.pages.counts.all -= range.pages;
      this.pages.counts.pureMmio -= range.pages;
      return;
    }
    for (let page = range.pageOf(start); page < range.pageOf(start) + size / PAGE_SIZE; page++) {
      range.type[page] = PageType.RAM;
      range.setPdeType(page, PdeType.DONT_CARE);
      this.pages.changed(range, page);
    }
  }
}
