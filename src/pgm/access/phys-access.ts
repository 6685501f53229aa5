import { type GuestPhys, type GuestVirt, PAGE_SIZE } from '../../../formats/sizes.ts';
import { clock } from '../../../formats/world/waiting.ts';
import { offsetInChunk } from '../../gmm/page-id.ts';
import type { GuestPages } from '../pages/guest-pages.ts';
import { HandlerState, PageState, PageType } from '../pages/page-states.ts';
import type { RamRange } from '../pages/ram-range.ts';
import type { RangeList } from '../pages/range-list.ts';
import type { HandlerAnswer, HandlerCallback, ListedHandler } from './handler-list.ts';
import type { PhysHandlers } from './phys-handlers.ts';
import type { AccessOrigin } from './phys-memory.ts';
import type { VirtualWatch } from './virtual-watch.ts';

/** Value of bytes that are read where there is no memory. */
const UNASSIGNED = 0xff;
/** Below this many bytes a loop is faster than a view on the source. */
const LOOP_LIMIT = 32;

/**
 * Accesses within one page. For each piece the physical handler comes first, then the virtual one; memory is accessed
 * when both answer `default` (guest-memory.md 5). Pages with device registers have no virtual handlers.
 */
export class PhysAccess {
  /** Handlers of virtual addresses, where the machine has some. */
  virtual: VirtualWatch | undefined;
  readonly #ranges: RangeList;
  readonly #pages: GuestPages;
  readonly #handlers: PhysHandlers;

  constructor(ranges: RangeList, pages: GuestPages, handlers: PhysHandlers) {
    this.#ranges = ranges;
    this.#pages = pages;
    this.#handlers = handlers;
  }

  /** Whether virtual handlers watch a page. */
  isWatched(range: RamRange, page: number, state: number): boolean {
    const { virtual } = this;
    if (!virtual?.isActive || range.type[page] === PageType.MMIO) return false;
    return virtual.stateOf(range.start / PAGE_SIZE + page) >= state;
  }

  readPiece(gcPhys: GuestPhys, target: Uint8Array, origin: AccessOrigin, through?: GuestVirt): void {
    const range = this.#ranges.find(gcPhys);
    if (range === undefined) {
      target.fill(UNASSIGNED);
      return;
    }
    const page = range.pageOf(gcPhys);
    const physical = range.handler[page] === HandlerState.ALL ? this.#handlers.list.find(gcPhys) : undefined;
    let answer: HandlerAnswer = 'default';
    if (physical && physical.kind !== 'write') answer = call(physical, 'read', gcPhys, target, origin);
    const isWatched = this.isWatched(range, page, HandlerState.ALL);
    if (isWatched && this.virtual?.call('read', gcPhys, target, through) === 'done') answer = 'done';
    if (answer === 'default') this.#readMemory(gcPhys, target);
  }

  /** Writes bytes of one page, in pieces that are cut at the borders of handlers of both kinds. */
  writePiece(gcPhys: GuestPhys, source: Uint8Array, origin: AccessOrigin, through?: GuestVirt): void {
    for (let done = 0; done < source.length; ) {
      const at = gcPhys + done;
      const range = this.#ranges.find(at);
      if (range === undefined) return;
      const page = range.pageOf(at);
      const near = range.handler[page] >= HandlerState.WRITE ? this.#handlers.list.atOrAbove(at) : undefined;
      const physical = near !== undefined && near.start <= at ? near : undefined;
      let border = near === undefined ? Number.POSITIVE_INFINITY : physical ? near.end : near.start;
      const virtual = this.isWatched(range, page, HandlerState.WRITE) ? this.virtual : undefined;
      if (virtual) border = Math.min(border, virtual.borderAfter(at));
      const piece = source.subarray(done, Math.min(source.length, border - gcPhys));
      const address = through === undefined ? undefined : through + BigInt(done);
      done += piece.length;
      let answer: HandlerAnswer = physical ? call(physical, 'write', at, piece, origin) : 'default';
      if (virtual?.call('write', at, piece, address) === 'done') answer = 'done';
      if (answer === 'default') this.#writeMemory(at, piece);
    }
  }

  #readMemory(gcPhys: GuestPhys, target: Uint8Array): void {
    const range = this.#ranges.find(gcPhys);
    if (range === undefined) target.fill(UNASSIGNED);
    else readPage(this.#pages, range, range.pageOf(gcPhys), gcPhys % PAGE_SIZE, target);
  }

  #writeMemory(gcPhys: GuestPhys, source: Uint8Array): void {
    const range = this.#ranges.find(gcPhys);
    if (range === undefined) return;
    const page = range.pageOf(gcPhys);
    if (range.type[page] === PageType.MMIO || range.state[page] === PageState.BALLOONED) return;
    writePage(this.#pages, range, page, gcPhys % PAGE_SIZE, source);
  }
}

function call({ callback, calls }: ListedHandler, ...access: Parameters<HandlerCallback>): HandlerAnswer {
  const start = clock();
  const answer = callback(...access);
  calls.add(start);
  return answer;
}

/** Reads bytes of one page from `from` on, out of memory, without handlers. */
export function readPage(pages: GuestPages, range: RamRange, page: number, from: number, target: Uint8Array): void {
  const id = range.pageId[page];
  if (id !== 0) copyOut(pages.backing.chunkBytes(id), offsetInChunk(id) + from, target);
  else target.fill(range.type[page] === PageType.MMIO ? UNASSIGNED : 0);
}

/** Writes bytes of one page, which becomes writable. @throws UsageError, EnvironmentError if it cannot become so */
export function writePage(pages: GuestPages, range: RamRange, page: number, to: number, source: Uint8Array): void {
  pages.writableChunk(range, page).set(source, offsetInChunk(range.pageId[page]) + to);
}

export function copyOut(chunk: Uint8Array, at: number, target: Uint8Array): void {
  const { length } = target;
  if (length > LOOP_LIMIT) target.set(chunk.subarray(at, at + length));
  else for (let i = 0; i < length; i++) target[i] = chunk[at + i];
}
