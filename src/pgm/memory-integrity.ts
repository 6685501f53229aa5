import { hex } from '../../formats/errors.ts';
import { type GuestPhys, PAGE_SIZE } from '../../formats/sizes.ts';
import { LAST_PAGE_ID, NIL_PAGE_ID, PAGES_PER_CHUNK } from '../gmm/page-id.ts';
import type { PhysHandler } from './access/handler-list.ts';
import type { GuestMemory } from './guest-memory.ts';
import { noPages, PAGE_COUNT_NAMES, type PageCounts } from './pages/page-counters.ts';
import { HandlerState, PAGE_STATE_NAMES, PAGE_TYPE_NAMES, PageState, PageType } from './pages/page-states.ts';
import { pgmError } from './pages/pgm-errors.ts';
import { BlockMark, blockOf, type RamRange } from './pages/ram-range.ts';

/** Findings beyond this say nothing new. */
const MAX_FINDINGS = 100;

/**
 * Checks a machine's memory (PGMR3CheckIntegrity, PGMAssertHandlerAndFlagsInSync): handlers and ranges walked in both
 * directions, pages against registrations and back, counts against pages. @returns all findings; empty when all is well
 */
export function checkIntegrity(memory: GuestMemory): string[] {
  const findings: string[] = [];
  const report = (finding: string) => {
    if (findings.length < MAX_FINDINGS) findings.push(finding);
  };
  checkOrder('handler', memory.handlers.list.all, report);
  checkOrder('range', memory.ranges.all, report);
  for (const handler of memory.handlers.list.all) checkHandler(memory, handler, report);
  for (const range of memory.ranges) {
    checkPages(memory, range, report);
    checkBlocks(range, report);
  }
  checkRoms(memory, report);
  checkMmio2(memory, report);
  checkCounts(memory, report);
  return findings;
}

/** @throws UsageError VERR_INTERNAL_ERROR with the first finding */
export function assertIntegrity(memory: GuestMemory): void {
  const [first] = checkIntegrity(memory);
  if (first !== undefined) throw pgmError('VERR_INTERNAL_ERROR', `Cannot trust memory: ${first}`);
}

type Report = (finding: string) => void;

/**
 * Walks the list up and down, as VirtualBox does, since a list that is changed meanwhile may look right in one
 * direction.
 */
function checkOrder(what: string, list: readonly { start: GuestPhys; end: GuestPhys }[], report: Report): void {
  for (const { start, end } of list) if (!(start < end)) report(`${what} ${hex(start)} ends before it starts`);
  for (let i = 1; i < list.length; i++)
    if (list[i - 1].end > list[i].start) report(`${what} ${hex(list[i].start)} starts before the end of the one below`);
  for (let i = list.length - 2; i >= 0; i--)
    if (list[i + 1].start < list[i].end) report(`${what} ${hex(list[i].start)} ends after the start of the one above`);
}

/** Checks that every page of a handler is marked as the handler wants, or is switched off. */
function checkHandler(
  { ranges, handlers }: GuestMemory,
  { start, end, kind, description }: PhysHandler,
  report: Report,
): void {
  const range = ranges.find(start);
  if (!range || end > range.end) {
    report(`handler ${description} at ${hex(start)} is not within one range`);
    return;
  }
  if (kind !== 'write' && (start % PAGE_SIZE !== 0 || end % PAGE_SIZE !== 0))
    report(`handler ${description} at ${hex(start)} does not cover whole pages`);
  for (let page = range.pageOf(start); page <= range.pageOf(end - 1); page++) {
    const wish = handlers.wishFor(range.addressOf(page));
    const state = range.handler[page];
    if (state !== wish && state !== HandlerState.DISABLED)
      report(`page ${hex(range.addressOf(page))} has handler state ${state}, its handlers want ${wish}`);
  }
}

function checkPages({ handlers }: GuestMemory, range: RamRange, report: Report): void {
  for (let page = 0; page < range.pages; page++) {
    const address = range.addressOf(page);
    const state = range.state[page];
    const type = range.type[page];
    const id = range.pageId[page];
    if (range.handler[page] !== HandlerState.NONE && handlers.wishFor(address) === HandlerState.NONE)
      report(`page ${hex(address)} has a handler state, but no handler`);
    const hasMemory = state !== PageState.ZERO && state !== PageState.BALLOONED;
    const hasId = id >= PAGES_PER_CHUNK && id <= LAST_PAGE_ID;
    if (hasMemory !== hasId || (!hasMemory && id !== NIL_PAGE_ID))
      report(`page ${hex(address)} is ${PAGE_STATE_NAMES[state]}, but its page id is ${hex(id)}`);
    if (state > PageState.ALLOCATED && type !== PageType.RAM)
      report(`page ${hex(address)} is ${PAGE_STATE_NAMES[state]}, but of type ${PAGE_TYPE_NAMES[type]}`);
    if (type === PageType.MMIO && state !== PageState.ZERO)
      report(`page ${hex(address)} has device registers, but is ${PAGE_STATE_NAMES[state]}`);
    if (range.wasWritten(page) && state === PageState.WRITE_MONITORED)
      report(`page ${hex(address)} is monitored, and has the mark that it was written`);
  }
}

/** Checks that blocks that write monitoring skips hold no pages for it. */
function checkBlocks(range: RamRange, report: Report): void {
  for (let page = 0; page < range.pages; page++) {
    const marks = range.blocks[blockOf(page)];
    const isMonitored = range.state[page] === PageState.WRITE_MONITORED;
    const isNew =
      range.type[page] === PageType.RAM &&
      (range.state[page] === PageState.ALLOCATED || range.wasWritten(page) || range.writeLocks[page] > 0);
    if (isNew && !(marks & BlockMark.CHANGED))
      report(`page ${hex(range.addressOf(page))} needs the write monitor, but its block is not marked`);
    if ((isMonitored || range.wasWritten(page)) && !(marks & BlockMark.MONITORED))
      report(`page ${hex(range.addressOf(page))} was monitored, but its block has no mark of that`);
  }
}

function checkRoms({ roms }: GuestMemory, report: Report): void {
  for (const rom of roms.all) {
    for (let page = 0; page < rom.pages; page++) {
      const at = rom.firstPage + page;
      const expected = rom.readsShadow(page) ? PageType.ROM_SHADOW : PageType.ROM;
      const isRight =
        rom.range.type[at] === expected && (rom.readsShadow(page) || rom.range.pageId[at] === rom.virginId[page]);
      if (!isRight)
        report(
          `page ${page} of ROM ${rom.description} is not the one that its protection ${rom.protection[page]} demands`,
        );
    }
  }
}

function checkMmio2({ mmio2, ranges }: GuestMemory, report: Report): void {
  for (const { description, address, pages, pageId } of mmio2.all) {
    const range = address === undefined ? undefined : ranges.find(address);
    if (address === undefined) continue;
    for (let page = 0; page < pages; page++) {
      const at = (range?.pageOf(address) ?? 0) + page;
      if (range?.type[at] !== PageType.MMIO2 || range.pageId[at] !== pageId[page])
        report(`page ${page} of MMIO2 ${description} is not where it is mapped`);
    }
  }
}

function checkCounts(memory: GuestMemory, report: Report): void {
  const counted = countPages(memory);
  for (const [name, label] of Object.entries(PAGE_COUNT_NAMES)) {
    const key = name as keyof PageCounts;
    if (counted[key] !== memory.pages.counts[key])
      report(`${label} is ${memory.pages.counts[key]}, there are ${counted[key]}`);
  }
}

/** The counts, by looking at each page. */
function countPages({ ranges, roms, mmio2 }: GuestMemory): PageCounts {
  const counts = noPages();
  for (const range of ranges) countRange(range, counts);
  for (const rom of roms.all) {
    if (!rom.isShadowed) continue;
    counts.all += rom.pages;
    // The page of the pair that is not read is in no RAM range.
    for (let page = 0; page < rom.pages; page++)
      counts[rom.readsShadow(page) || rom.passiveShadowId[page] !== NIL_PAGE_ID ? 'private' : 'zero']++;
  }
  for (const { pages } of mmio2.all) {
    counts.all += pages;
    counts.private += pages;
  }
  return counts;
}

function countRange(range: RamRange, counts: PageCounts): void {
  const isMapped = range.kind === 'mmio2';
  if (!isMapped) counts.all += range.pages;
  for (let page = 0; page < range.pages; page++) {
    const type = range.type[page];
    const state = range.state[page];
    if (range.wasWritten(page)) counts.writtenTo++;
    if (range.writeLocks[page] > 0) counts.writeLocked++;
    if (range.readLocks[page] > 0) counts.readLocked++;
    if (type === PageType.MMIO2) continue;
    if (range.kind === 'mmio') counts.pureMmio++;
    else if (type === PageType.MMIO || type === PageType.MMIO2_ALIAS_MMIO) counts.zero++;
    else if (state === PageState.ZERO || state === PageState.BALLOONED) counts.zero++;
    else if (state === PageState.SHARED) counts.shared++;
    else counts.private++;
    if (state === PageState.WRITE_MONITORED) counts.monitored++;
    if (state === PageState.BALLOONED) counts.ballooned++;
  }
}
