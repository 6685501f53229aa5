import assert from 'node:assert/strict';
import type { Random } from '../../paging/testing/random-tables.ts';
import type { RawCallback } from '../../pgm/access/handler-list.ts';
import type { Machine } from '../machine.ts';
import { type MachineTwin, TWIN_BYTES } from './machine-twin.ts';

const PAGE = 4096;

interface Watch {
  kind: 'write' | 'all';
  start: number;
  end: number;
  raw: RawCallback;
  /** Addresses of raw mode's callback and its user argument now. */
  expected: RawCallback;
}

/** Physical handlers that let memory do all accesses, and a list of the calls that they must get. */
export class GameHandlers {
  readonly #random: Random;
  readonly #machine: Machine;
  #watches: Watch[] = [];
  #seen: { access: string; start: number; end: number }[] = [];

  constructor(random: Random, machine: Machine) {
    this.#random = random;
    this.#machine = machine;
  }

  /** Takes a handler out, or registers one somewhere in RAM. @param near address of an access */
  toggle(twin: MachineTwin, near: number): void {
    const { handlers } = this.#machine.memory;
    if (this.#watches.length > 4 || (this.#watches.length > 0 && this.#random.chance(40))) {
      const [{ start }] = this.#watches.splice(this.#random.below(this.#watches.length), 1);
      handlers.deregister(start);
      return;
    }
    const kind = this.#random.chance(40) ? 'all' : 'write';
    const at = this.#random.chance(70) ? near : this.#random.below(TWIN_BYTES);
    const page = at - (at % PAGE);
    const start = kind === 'all' ? page : at;
    const end = kind === 'all' ? page + PAGE : Math.min(at + 2 + this.#random.below(64), page + PAGE);
    // VirtualBox refuses handlers of one byte. Watched tables have a handler, too.
    if (end - start < 2 || !twin.isRam(at) || (handlers.list.atOrAbove(page)?.start ?? TWIN_BYTES) < page + PAGE)
      return;
    const raw = { callback: 0xa0100000 + at, user: this.#random.chance(50) ? 0x5000 : 0xa0200000 };
    const callback = (access: 'read' | 'write', gcPhys: number, bytes: Uint8Array): 'default' => {
      this.#seen.push({ access, start: gcPhys, end: gcPhys + bytes.length });
      return 'default';
    };
    handlers.register({ kind, start, end, description: 'watch', callback, raw });
    this.#watches.push({ kind, start, end, raw, expected: { ...raw } });
  }

  /** Each byte of an access within a page that a handler watches was seen. @returns calls */
  expect(access: 'read' | 'write', at: number, size: number): number {
    const seen = this.#seen;
    this.#seen = [];
    for (let byte = at; byte < at + size; byte++) {
      const watch = this.#watches.find(({ start, end }) => byte >= start && byte < end);
      const wants = watch !== undefined && (access === 'write' || watch.kind === 'all');
      const saw = seen.some((call) => call.access === access && byte >= call.start && byte < call.end);
      if (wants) assert.ok(saw, `${access} of ${byte.toString(16)}: its physical handler did not see it`);
    }
    return seen.length;
  }

  /**
   * Expects raw mode's callbacks to have moved with the hypervisor, and their arguments, unless these are too small for
   * addresses.
   */
  expectMoved(delta: number): void {
    for (const { raw, expected } of this.#watches) {
      expected.callback += delta;
      if (expected.user >= 0x10000) expected.user += delta;
      assert.deepEqual(raw, expected, 'raw-mode callback after a move');
    }
  }
}
