import { hex } from '../../../formats/errors.ts';
import { isZero } from '../../../formats/kernels/zero.ts';
import { type GuestPhys, PAGE_SIZE } from '../../../formats/sizes.ts';
import type { GuestPages } from '../pages/guest-pages.ts';
import { HandlerState, PageState, PageType } from '../pages/page-states.ts';
import { pgmError } from '../pages/pgm-errors.ts';
import type { RamRange } from '../pages/ram-range.ts';
import type { RangeList } from '../pages/range-list.ts';
import { counting, HANDLER_STATE_OF, HandlerList, type ListedHandler, type PhysHandler } from './handler-list.ts';
import { HandlerMarks } from './handler-marks.ts';

/**
 * The physical access handlers of a machine (guest-memory.md 9). Several may share a page when their bytes differ; each
 * page is marked for the strictest of its handlers.
 */
export class PhysHandlers {
  /** @internal */
  readonly list = new HandlerList();
  /** Number of calls of `reset`. */
  resets = 0;
  readonly #ranges: RangeList;
  readonly #marks: HandlerMarks;

  constructor(ranges: RangeList, pages: GuestPages) {
    this.#ranges = ranges;
    this.#marks = new HandlerMarks(ranges, pages, this.list);
  }

  /**
   * Registers a handler. @throws UsageError VERR_INVALID_PARAMETER, VERR_INVALID_POINTER,
   * VERR_PGM_HANDLER_PHYSICAL_NO_RAM_RANGE, VERR_PGM_HANDLER_PHYSICAL_CONFLICT
   */
  register(wanted: PhysHandler): ListedHandler {
    const handler = counting(wanted);
    const { start, end, callback } = handler;
    if (end - start < 2)
      throw invalid(`Cannot register handler at ${hex(start)}: it covers less than two bytes`, start);
    this.#checkAlignment(handler);
    if (typeof callback !== 'function')
      throw pgmError('VERR_INVALID_POINTER', `Cannot register handler at ${hex(start)}: it has no callback`);
    const range = this.#rangeOf(start, end);
    this.list.insert(handler);
    this.#marks.raise(handler, range);
    return handler;
  }

  /** Removes the handler that starts at `start`. @throws UsageError VERR_PGM_HANDLER_NOT_FOUND */
  deregister(start: GuestPhys): void {
    const handler = this.list.get(start);
    this.list.replace([handler], []);
    this.#marks.lower(handler);
  }

  /**
   * Moves a handler. After an error the old one is gone, as in VirtualBox.
   * @throws UsageError VERR_PGM_HANDLER_NOT_FOUND, and errors of `register`
   */
  modify(start: GuestPhys, newStart: GuestPhys, newEnd: GuestPhys): ListedHandler {
    const old = this.list.get(start);
    this.deregister(start);
    const handler = { ...old, start: newStart, end: newEnd };
    if (newEnd <= newStart)
      throw invalid(`Cannot move handler to ${hex(newStart)}: it would end before it starts`, newStart);
    this.#checkAlignment(handler);
    const range = this.#rangeOf(newStart, newEnd);
    this.list.insert(handler);
    this.#marks.raise(handler, range);
    return handler;
  }

  /** Replaces the callback of a handler. @throws UsageError VERR_PGM_HANDLER_NOT_FOUND */
  changeCallback(start: GuestPhys, callback: PhysHandler['callback']): ListedHandler {
    const old = this.list.get(start);
    const changed = { ...old, callback };
    this.list.replace([old], [changed]);
    return changed;
  }

  /**
   * Splits a handler into two, with the border at `at`. @throws UsageError VERR_PGM_HANDLER_NOT_FOUND,
   * VERR_INVALID_PARAMETER
   */
  split(start: GuestPhys, at: GuestPhys): void {
    const handler = this.list.get(start);
    if (at <= start || at >= handler.end)
      throw invalid(`Cannot split handler ${handler.description}: ${hex(at)} is not within`, start);
    const parts = [{ ...handler, end: at }, counting({ ...handler, start: at })];
    for (const part of parts) this.#checkAlignment(part);
    this.list.replace([handler], parts);
  }

  /**
   * Joins two neighbouring handlers; the first one's kind and callback stay. @throws UsageError
   * VERR_PGM_HANDLER_NOT_FOUND, VERR_INVALID_PARAMETER, VERR_ACCESS_DENIED
   */
  join(start1: GuestPhys, start2: GuestPhys): void {
    const first = this.list.get(start1);
    const second = this.list.get(start2);
    if (first.end !== second.start)
      throw invalid(
        `Cannot join handlers: ${first.description} does not end where ${second.description} starts`,
        start1,
      );
    if (first.callback !== second.callback)
      throw denied(
        `Cannot join handlers: ${first.description} and ${second.description} have different callbacks`,
        start1,
      );
    const joined = { ...first, end: second.end };
    this.#checkAlignment(joined);
    this.list.replace([first, second], [joined]);
    this.#marks.raise(joined, this.#rangeOf(joined.start, joined.end));
  }

  /** Whether a handler has this address. */
  isRegistered(gcPhys: GuestPhys): boolean {
    return this.list.find(gcPhys) !== undefined;
  }

  /**
   * Lets accesses to one page pass until `reset`. @throws UsageError VERR_PGM_HANDLER_NOT_FOUND,
   * VERR_INVALID_PARAMETER, VERR_ACCESS_DENIED
   */
  tempOff(start: GuestPhys, gcPhys: GuestPhys): void {
    const handler = this.#coveringPage(start, gcPhys);
    if (handler.kind === 'mmio')
      throw denied(`Cannot switch handler ${handler.description} off for a page: it is of kind mmio`, gcPhys);
    const range = this.#ranges.get(gcPhys);
    this.#marks.set(range, range.pageOf(gcPhys), HandlerState.DISABLED);
  }

  /**
   * Puts an MMIO2 page, which is mapped at `target`, in the place of an MMIO page. @returns whether it was there
   * already @throws UsageError VERR_PGM_HANDLER_NOT_FOUND, VERR_INVALID_PARAMETER, VERR_ACCESS_DENIED,
   * VERR_PGM_PHYS_NOT_MMIO2, VERR_PGM_PHYS_PAGE_RESERVED
   */
  alias(start: GuestPhys, gcPhys: GuestPhys, target: GuestPhys): 'aliased' | 'already-aliased' {
    const handler = this.#coveringPage(start, gcPhys);
    if (handler.kind !== 'mmio')
      throw denied(`Cannot alias page at ${hex(gcPhys)}: handler ${handler.description} is not of kind mmio`, gcPhys);
    const source = this.#ranges.get(target);
    const sourcePage = source.pageOf(target);
    if (source.type[sourcePage] !== PageType.MMIO2)
      throw pgmError('VERR_PGM_PHYS_NOT_MMIO2', `Cannot alias page at ${hex(gcPhys)}: ${hex(target)} is no MMIO2`, {
        gcPhys: target,
      });
    const range = this.#ranges.get(gcPhys);
    const page = range.pageOf(gcPhys);
    const id = source.pageId[sourcePage];
    if (range.type[page] === PageType.MMIO2_ALIAS_MMIO) {
      if (range.pageId[page] === id) return 'already-aliased';
      this.#marks.dropAlias(range, page);
    } else if (range.type[page] !== PageType.MMIO) {
      throw pgmError('VERR_PGM_PHYS_PAGE_RESERVED', `Cannot alias page at ${hex(gcPhys)}: it is no MMIO`, { gcPhys });
    }
    range.type[page] = PageType.MMIO2_ALIAS_MMIO;
    range.state[page] = PageState.ALLOCATED;
    range.pageId[page] = id;
    this.#marks.set(range, page, HandlerState.DISABLED);
    return 'aliased';
  }

  /** Takes `tempOff` and `alias` back for all pages of a handler. @throws UsageError VERR_PGM_HANDLER_NOT_FOUND */
  reset(start: GuestPhys): void {
    this.resets++;
    const handler = this.list.get(start);
    const range = this.#ranges.get(start);
    if (handler.kind === 'mmio') this.#marks.dropAliases(handler);
    this.#marks.raise(handler, range);
  }

  /** Marks all pages anew: after a state was loaded. @internal */
  reapply(): void {
    for (const { handler } of this.#ranges) clearMarks(handler);
    for (const handler of this.list.all) this.#marks.raise(handler, this.#ranges.get(handler.start));
  }

  /** Ends aliases that show one of these pages. @internal */
  dropAliasesOf(ids: Uint32Array): void {
    const lost = new Set(ids);
    for (const handler of this.list.all) if (handler.kind === 'mmio') this.#marks.dropAliases(handler, lost);
  }

  /** The strictest state that handlers of a page need. @internal */
  wishFor(pageStart: GuestPhys): number {
    return this.#marks.wishFor(pageStart);
  }

  #checkAlignment({ kind, start, end }: PhysHandler): void {
    if (!(kind in HANDLER_STATE_OF))
      throw invalid(`Cannot register handler at ${hex(start)}: there is no kind ${kind}`, start);
    if (kind !== 'write' && (start % PAGE_SIZE !== 0 || end % PAGE_SIZE !== 0))
      throw invalid(
        `Cannot register handler at ${hex(start)}–${hex(end - 1)}: handlers of kind ${kind} cover whole pages`,
        start,
      );
  }

  #rangeOf(start: GuestPhys, end: GuestPhys): RamRange {
    const range = this.#ranges.find(start);
    if (range && end <= range.end) return range;
    const message = `Cannot register handler at ${hex(start)}–${hex(end - 1)}: not within one range of memory`;
    throw pgmError('VERR_PGM_HANDLER_PHYSICAL_NO_RAM_RANGE', message, { gcPhys: start });
  }

  #coveringPage(start: GuestPhys, gcPhys: GuestPhys): ListedHandler {
    const handler = this.list.get(start);
    const page = gcPhys - (gcPhys % PAGE_SIZE);
    if (page + PAGE_SIZE <= handler.start || page >= handler.end)
      throw invalid(`Cannot find ${hex(gcPhys)} in handler ${handler.description}`, gcPhys);
    return handler;
  }
}

const MARKS_AT_ONCE = 4096;

/** Writes only where there are marks, as writing would allocate descriptors that were never used. */
function clearMarks(handler: Uint8Array): void {
  for (let page = 0; page < handler.length; page += MARKS_AT_ONCE) {
    const count = Math.min(MARKS_AT_ONCE, handler.length - page);
    if (!isZero(handler, page, count)) handler.fill(HandlerState.NONE, page, page + count);
  }
}

function invalid(message: string, gcPhys: GuestPhys): Error {
  return pgmError('VERR_INVALID_PARAMETER', message, { gcPhys });
}

function denied(message: string, gcPhys: GuestPhys): Error {
  return pgmError('VERR_ACCESS_DENIED', message, { gcPhys });
}
