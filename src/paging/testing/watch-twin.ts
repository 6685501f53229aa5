import assert from 'node:assert/strict';
import type { VirtualHandlers } from '../shadow/virtual-handlers.ts';
import type { Random } from './random-tables.ts';

interface Watch {
  kind: 'write' | 'all';
  start: bigint;
  end: bigint;
  /** Address of each page's first watched byte at the last sync. */
  lies: { address: bigint; size: number; gcPhys: number | undefined }[];
}

/**
 * Virtual handlers of the machine, which let memory do all accesses, beside what a twin knows of them: of each byte of
 * an access, whether some handler watches it, and which.
 */
export class WatchTwin {
  readonly #random: Random;
  readonly #real: VirtualHandlers;
  readonly #watches: Watch[] = [];
  /** Calls since the last look: who, of which bytes. */
  #calls: { start: bigint; access: string; address: bigint; size: number }[] = [];
  /** Calls that were compared. */
  seen = 0;

  constructor(random: Random, real: VirtualHandlers) {
    this.#random = random;
    this.#real = real;
  }

  /** Takes a handler out, or registers one at an address. */
  toggle(addresses: readonly bigint[]): void {
    if (this.#watches.length > 4 || (this.#watches.length > 0 && this.#random.chance(40))) {
      const [{ start }] = this.#watches.splice(this.#random.below(this.#watches.length), 1);
      this.#real.deregister(start);
      return;
    }
    const near = this.#random.pick([...addresses]);
    const kind = this.#random.chance(40) ? 'all' : 'write';
    const page = near - (near % 4096n);
    const start = kind === 'all' ? page : near;
    const end = kind === 'all' ? page + 4096n : near + BigInt(1 + this.#random.below(64));
    if (end > 1n << 64n || this.#watches.some((each) => each.start < end && start < each.end)) return;
    const lies: Watch['lies'] = [];
    for (let at = start; at < end; at = (at / 4096n + 1n) * 4096n) {
      const upTo = (at / 4096n + 1n) * 4096n;
      lies.push({ address: at, size: Number((upTo < end ? upTo : end) - at), gcPhys: undefined });
    }
    this.#watches.push({ kind, start, end, lies });
    this.#real.register({
      kind,
      start,
      end,
      description: `watch ${start}`,
      callback: (access, address, bytes) => {
        this.#calls.push({ start, access, address, size: bytes.length });
        return 'default';
      },
    });
  }

  /** Notes a sync of a CPU: its tables say where the watched pages lie now. */
  look(walk: (address: bigint) => number | undefined): void {
    for (const { lies } of this.#watches) for (const page of lies) page.gcPhys = walk(page.address);
  }

  /** An address at the beginning of watched bytes, or just before them, at random. */
  get busyAddress(): bigint | undefined {
    if (this.#watches.length === 0) return undefined;
    const { start } = this.#random.pick(this.#watches);
    const before = BigInt(this.#random.below(4));
    return start > before ? start - before : start;
  }

  /** Forgets the events so far, which are then not compared. */
  forget(): void {
    this.#calls = [];
  }

  /**
   * Expects that each watched byte of an access was seen once: by the handler of the address that the access went
   * through, if that has one, else by another one that watches the byte.
   */
  expect(access: 'read' | 'write', gcPhys: number, size: number, through: bigint | undefined): void {
    const calls = this.#calls;
    this.#calls = [];
    this.seen += calls.length;
    const watched = this.#watchedBytes(access, gcPhys, size);
    for (const i of watched) {
      const watching = this.#watching(gcPhys + i).filter(({ watch }) => access === 'write' || watch.kind === 'all');
      const saw = calls.filter((call) =>
        watching.some(
          ({ watch, address }) =>
            watch.start === call.start && address >= call.address && address < call.address + BigInt(call.size),
        ),
      );
      const text = `${access} ${gcPhys.toString(16)}+${i} of ${size}`;
      assert.ok(saw.length > 0, `${text}: no handler saw it`);
      const own = watching.find(({ address }) => through !== undefined && address === through + BigInt(i));
      if (own)
        assert.ok(
          saw.some(({ start }) => start === own.watch.start),
          `${text}: its own handler did not see it`,
        );
    }
    const seenBytes = calls.reduce((sum, call) => sum + call.size, 0);
    assert.equal(seenBytes, watched.size, 'bytes that handlers saw');
    assert.ok(calls.every((call) => call.access === access));
  }

  #watchedBytes(access: 'read' | 'write', gcPhys: number, size: number): Set<number> {
    const bytes = new Set<number>();
    for (const { kind, lies } of this.#watches) {
      if (access === 'read' && kind === 'write') continue;
      for (const page of lies) {
        if (page.gcPhys === undefined) continue;
        const end = Math.min(gcPhys + size, page.gcPhys + page.size);
        for (let at = Math.max(gcPhys, page.gcPhys); at < end; at++) bytes.add(at - gcPhys);
      }
    }
    return bytes;
  }

  #watching(gcPhys: number): { watch: Watch; address: bigint }[] {
    return this.#watches.flatMap((watch) =>
      watch.lies
        .filter((page) => page.gcPhys !== undefined && gcPhys >= page.gcPhys && gcPhys < page.gcPhys + page.size)
        .map((page) => ({ watch, address: page.address + BigInt(gcPhys - (page.gcPhys ?? 0)) })),
    );
  }
}
