import { hex } from '../../../formats/errors.ts';
import type { GuestPhys } from '../../../formats/sizes.ts';
import { HandlerState } from '../pages/page-states.ts';
import { pgmError } from '../pages/pgm-errors.ts';
import { Timing } from '../statistics/timing.ts';
import type { AccessOrigin } from './phys-memory.ts';

/** PGMPHYSHANDLERTYPE: MMIO and `'all'` see reads and writes of whole pages, `'write'` sees writes to any bytes. */
export type HandlerKind = 'mmio' | 'write' | 'all';

/** `'done'`: the callback has done the access. `'default'`: memory is read or written as if there was no handler. */
export type HandlerAnswer = 'done' | 'default';

/**
 * Called for each access, cut at page and handler borders. `bytes` is borrowed: the data of a write, or the buffer that
 * a read fills. The callback may use memory and handlers.
 */
export type HandlerCallback = (
  access: 'read' | 'write',
  gcPhys: GuestPhys,
  bytes: Uint8Array,
  origin: AccessOrigin,
) => HandlerAnswer;

/** A handler's code in raw mode, and its argument. */
export interface RawCallback {
  /** Address of the code. */
  callback: number;
  /** Argument: an address, or a number below 64 KiB. */
  user: number;
}

/** PGMPHYSHANDLER: a physical access handler. */
export interface PhysHandler {
  /** Accesses that it gets. */
  readonly kind: HandlerKind;
  /** Guest-physical address of the first byte. */
  readonly start: GuestPhys;
  /** Exclusive. */
  readonly end: GuestPhys;
  /** For people. */
  readonly description: string;
  /** Called for the accesses. */
  readonly callback: HandlerCallback;
  /** Raw mode's part of the handler, if it has one. */
  readonly raw?: RawCallback | undefined;
}

/** A handler that is in use. */
export interface ListedHandler extends PhysHandler {
  /** Calls of the handler. */
  readonly calls: Timing;
}

/** Lets a handler count its calls, from 0 on. */
export function counting(handler: PhysHandler): ListedHandler {
  return { ...handler, calls: new Timing() };
}

/** State of a page with such a handler. */
export const HANDLER_STATE_OF: Readonly<Record<HandlerKind, number>> = {
  mmio: HandlerState.ALL,
  write: HandlerState.WRITE,
  all: HandlerState.ALL,
};

/** Handlers by address, without overlaps. */
export class HandlerList {
  readonly #handlers: ListedHandler[] = [];

  get all(): readonly ListedHandler[] {
    return this.#handlers;
  }

  /** The handler that covers an address. */
  find(gcPhys: GuestPhys): ListedHandler | undefined {
    const handler = this.atOrAbove(gcPhys);
    return handler !== undefined && handler.start <= gcPhys ? handler : undefined;
  }

  /** The lowest handler that ends after an address. */
  atOrAbove(gcPhys: GuestPhys): ListedHandler | undefined {
    return this.#handlers[this.#firstEndingAfter(gcPhys)];
  }

  /** The handler that starts at `start`. @throws UsageError VERR_PGM_HANDLER_NOT_FOUND */
  get(start: GuestPhys): ListedHandler {
    const handler = this.find(start);
    if (handler?.start === start) return handler;
    throw pgmError('VERR_PGM_HANDLER_NOT_FOUND', `Cannot find handler: none starts at ${hex(start)}`, {
      gcPhys: start,
    });
  }

  /** @throws UsageError VERR_PGM_HANDLER_PHYSICAL_CONFLICT */
  insert(handler: ListedHandler): void {
    const { start, end } = handler;
    const at = this.#firstEndingAfter(start);
    const other = this.#handlers[at];
    if (other !== undefined && other.start < end) {
      const there = `${other.description} covers ${hex(other.start)}–${hex(other.end - 1)}`;
      throw pgmError(
        'VERR_PGM_HANDLER_PHYSICAL_CONFLICT',
        `Cannot register handler at ${hex(start)}–${hex(end - 1)}: ${there}`,
        { gcPhys: start },
      );
    }
    this.#handlers.splice(at, 0, handler);
  }

  /** Replaces consecutive handlers by others. */
  replace(old: readonly ListedHandler[], by: readonly ListedHandler[]): void {
    this.#handlers.splice(this.#handlers.indexOf(old[0]), old.length, ...by);
  }

  #firstEndingAfter(gcPhys: GuestPhys): number {
    let low = 0;
    let high = this.#handlers.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#handlers[middle].end <= gcPhys) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
