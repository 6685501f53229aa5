import { type GuestPhys, PAGE_SIZE } from '../../../formats/sizes.ts';
import { offsetInChunk } from '../../gmm/page-id.ts';
import type { GuestPages } from '../pages/guest-pages.ts';
import { HandlerState, PageState, PageType } from '../pages/page-states.ts';
import type { RamRange } from '../pages/ram-range.ts';
import type { RangeList } from '../pages/range-list.ts';
import type { PhysHandlers } from './phys-handlers.ts';
import type { AccessOrigin } from './phys-memory.ts';

/** What a read gives where there is nothing. */
const UNASSIGNED = 0xff;
/** Below this many bytes a loop is faster than a view on the source. */
const LOOP_LIMIT = 32;

/** Accesses of any length to any addresses, page by page: handlers first, then memory. */
export class PhysAccess {
  readonly #ranges: RangeList;
  readonly #pages: GuestPages;
  readonly #handlers: PhysHandlers;

  constructor(ranges: RangeList, pages: GuestPages, handlers: PhysHandlers) {
    this.#ranges = ranges;
    this.#pages = pages;
    this.#handlers = handlers;
  }

  /** Reads within one page. */
  readPiece(gcPhys: GuestPhys, target: Uint8Array, origin: AccessOrigin): void {
    const range = this.#ranges.find(gcPhys);
    if (range !== undefined && range.handler[range.pageOf(gcPhys)] === HandlerState.ALL) {
      const handler = this.#handlers.list.find(gcPhys);
      if (handler && handler.kind !== 'write' && handler.callback('read', gcPhys, target, origin) === 'done') return;
    }
    this.#readMemory(gcPhys, target);
  }

  /** Writes within one page. */
  writePiece(gcPhys: GuestPhys, source: Uint8Array, origin: AccessOrigin): void {
    for (let done = 0; done < source.length; ) {
      const at = gcPhys + done;
      const range = this.#ranges.find(at);
      if (range === undefined) return;
      const handled = range.handler[range.pageOf(at)] >= HandlerState.WRITE;
      const handler = handled ? this.#handlers.list.atOrAbove(at) : undefined;
      const isInside = handler !== undefined && handler.start <= at;
      const border = handler === undefined ? Number.POSITIVE_INFINITY : isInside ? handler.end : handler.start;
      const piece = source.subarray(done, Math.min(source.length, border - gcPhys));
      done += piece.length;
      if (!isInside || handler.callback('write', at, piece, origin) === 'default') this.#writeMemory(at, piece);
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

/** Reads bytes of one page from `from` on: what memory holds there, without handlers. */
export function readPage(pages: GuestPages, range: RamRange, page: number, from: number, target: Uint8Array): void {
  const id = range.pageId[page];
  if (id !== 0) copyOut(pages.backing.chunkBytes(id), offsetInChunk(id) + from, target);
  else target.fill(range.type[page] === PageType.MMIO ? UNASSIGNED : 0);
}

/** Writes bytes of one page, which becomes writable. @throws UsageError, EnvironmentError for what can't */
export function writePage(pages: GuestPages, range: RamRange, page: number, to: number, source: Uint8Array): void {
  pages.writableChunk(range, page).set(source, offsetInChunk(range.pageId[page]) + to);
}

export function copyOut(chunk: Uint8Array, at: number, target: Uint8Array): void {
  const { length } = target;
  if (length > LOOP_LIMIT) target.set(chunk.subarray(at, at + length));
  else for (let i = 0; i < length; i++) target[i] = chunk[at + i];
}
