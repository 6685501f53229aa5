import { isDeepStrictEqual } from 'node:util';
import type { SavkitError } from '../../../formats/errors.ts';
import { PAGE_SIZE } from '../../../formats/sizes.ts';
import { Random } from '../../../formats/testing/random.ts';
import { HostMemory } from '../../gmm/host-memory.ts';
import { PAGES_PER_CHUNK } from '../../gmm/page-id.ts';
import { GuestMemory } from '../guest-memory.ts';
import { checkIntegrity } from '../memory-integrity.ts';
import { HostBacking } from '../pages/host-backing.ts';
import { noPages } from '../pages/page-counters.ts';
import { PageState } from '../pages/page-states.ts';
import { PageSharing } from '../sharing/page-sharing.ts';

const MOST_MACHINES = 3;
const PAGES = 300;
const MONITOR = 'game';

/** A machine, and what the model knows of it: its bytes in a flat array, and a set of ballooned pages. */
interface Player {
  memory: GuestMemory;
  backing: HostBacking;
  bytes: Uint8Array;
  ballooned: Set<number>;
}

/**
 * One seed's game: several machines on one host write, balloon, share, move and end; each sees its own bytes, and all
 * counts agree.
 */
class MachinesGame {
  readonly #random: Random;
  readonly #host: HostMemory;
  readonly #sharing: PageSharing;
  readonly #players: Player[] = [];

  constructor(seed: number) {
    this.#random = new Random(seed);
    this.#host = new HostMemory(this.#random.below(2) === 0 ? { maxMappedChunks: 2 } : {});
    this.#sharing = new PageSharing(this.#host);
  }

  play(steps: number): void {
    try {
      for (let step = 0; step < steps; step++) {
        if (this.#players.length === 0) this.#begin();
        this.#random.pick(this.#moves)(this.#random.pick(this.#players));
        this.#checkCounts();
      }
      for (const player of this.#players) this.#checkBytes(player);
      while (this.#players.length > 0) this.#end(this.#players[0]);
      expectEqual(
        'what is left',
        [this.#host.figures.allocatedPages, this.#host.figures.leftBehindSharedPages],
        [0, 0],
      );
    } finally {
      this.#host.close();
    }
  }

  readonly #moves: readonly ((player: Player) => void)[] = [
    () => this.#players.length < MOST_MACHINES && this.#begin(),
    (player) => this.#random.below(12) === 0 && this.#end(player),
    (player) => this.#write(player),
    (player) => this.#write(player),
    (player) => this.#fillPages(player),
    (player) => this.#fillPages(player),
    (player) => this.#fillPages(player),
    (player) => this.#checkBytes(player),
    (player) => this.#balloon(player),
    (player) => this.#balloon(player),
    () => this.#sharing.scan(this.#random.below(2 * PAGES)),
    () => this.#sharing.scanAll(),
    () => this.#sharing.scanAll(),
    ({ memory }) => memory.requests.run(),
    () => this.#host.defragment(1 + this.#random.below(PAGES_PER_CHUNK)),
    ({ memory }) => (memory.monitor.user ? memory.monitor.release(MONITOR) : memory.monitor.engage(MONITOR)),
    ({ memory }) => memory.monitor.user && memory.monitor.take(new Uint32Array(this.#random.below(PAGES))),
    ({ backing }) => backing.handy.refill(),
    ({ backing }) => {
      backing.handy.injectFailure = !backing.handy.injectFailure;
    },
    () => this.#host.limitChunks(this.#random.pick([0, 1, 1000])),
    ({ memory }) => expectEqual('integrity', checkIntegrity(memory), []),
  ];

  #begin(): void {
    const backing = new HostBacking(this.#host);
    const memory = new GuestMemory(backing);
    memory.registerRam(0, PAGES * PAGE_SIZE, 'Base RAM');
    this.#sharing.add(memory, this.#random.below(2) === 0);
    this.#players.push({ memory, backing, bytes: new Uint8Array(PAGES * PAGE_SIZE), ballooned: new Set() });
  }

  #end(player: Player): void {
    this.#sharing.remove(player.memory);
    player.memory.close();
    this.#players.splice(this.#players.indexOf(player), 1);
  }

  /** Writes some bytes anywhere, also over page borders, as guest or device. */
  #write(player: Player): void {
    const size = 1 + this.#random.below(this.#random.pick([8, 64, 3 * PAGE_SIZE]));
    const start = this.#random.below(player.bytes.length - size);
    const source = new Uint8Array(size).fill(this.#random.below(256));
    this.#note(player, start, source, () =>
      player.memory.write(start, source, this.#random.pick([0, 'device'] as const)),
    );
  }

  /** Fills whole pages with few different contents, so that many are equal, some of them zero. */
  #fillPages(player: Player): void {
    const first = this.#random.below(PAGES);
    const end = Math.min(PAGES, first + 1 + this.#random.below(40));
    const value = this.#random.below(4);
    const source = new Uint8Array((end - first) * PAGE_SIZE).fill(value);
    this.#note(player, first * PAGE_SIZE, source, () => player.memory.fill(first * PAGE_SIZE, source.length, value));
  }

  /**
   * Does a write, and notes its bytes. Where the host has no memory for a page, only the pages before it have been
   * written.
   */
  #note({ memory, bytes, ballooned }: Player, start: number, source: Uint8Array, write: () => void): void {
    let written = source.length;
    try {
      write();
    } catch (error) {
      if ((error as SavkitError).vboxCode !== 'VERR_EM_NO_MEMORY') throw error;
      const page = (error as SavkitError).place.gcPhys ?? Number.NaN;
      expectEqual(
        'page without memory',
        stateAt(memory, page) === PageState.ZERO || stateAt(memory, page) === PageState.SHARED,
        true,
      );
      written = Math.max(0, page - start);
    }
    for (let i = 0; i < written; i++) {
      if (!ballooned.has(Math.floor((start + i) / PAGE_SIZE))) bytes[start + i] = source[i];
    }
  }

  #balloon({ memory, bytes, ballooned }: Player): void {
    const pages = Array.from({ length: this.#random.below(60) }, () => this.#random.below(PAGES + 1));
    const addresses = pages.map((page) => page * PAGE_SIZE);
    if (this.#random.below(2) === 0) {
      const outside = pages.indexOf(PAGES);
      const expected = outside < 0 ? pages : pages.slice(0, outside);
      expectEqual('inflated', memory.balloon.inflate(addresses), expected.length);
      for (const page of expected) {
        ballooned.add(page);
        bytes.fill(0, page * PAGE_SIZE, (page + 1) * PAGE_SIZE);
      }
    } else {
      const done = memory.balloon.deflate(addresses);
      for (const page of pages.slice(0, done)) expectEqual('was ballooned', ballooned.delete(page), true);
      if (done < pages.length) expectEqual('is ballooned', ballooned.has(pages[done]), false);
    }
  }

  #checkBytes({ memory, bytes }: Player): void {
    const seen = new Uint8Array(bytes.length);
    memory.read(0, seen);
    const at = seen.findIndex((byte, i) => byte !== bytes[i]);
    expectEqual(`bytes at ${at}`, at < 0 ? undefined : seen[at], at < 0 ? undefined : bytes[at]);
  }

  #checkCounts(): void {
    const privateIds = new Set<number>();
    const sharedIds = new Set<number>();
    let references = 0;
    for (const { memory, backing, ballooned } of this.#players) {
      const [range] = memory.ranges.all;
      const expected = { ...noPages(), all: PAGES };
      for (let page = 0; page < PAGES; page++) {
        const state = range.state[page];
        const id = range.pageId[page];
        const hasPage = state !== PageState.ZERO && state !== PageState.BALLOONED;
        expectEqual('has a page', id !== 0, hasPage);
        if (range.wasWritten(page)) expected.writtenTo++;
        if (state === PageState.WRITE_MONITORED) expected.monitored++;
        if (state === PageState.BALLOONED) expected.ballooned++;
        if (state === PageState.SHARED) {
          expected.shared++;
          references++;
          sharedIds.add(id);
        } else if (hasPage) {
          expected.private++;
          expectEqual('has its page alone', privateIds.has(id), false);
          privateIds.add(id);
        } else expected.zero++;
      }
      expectEqual('counts', memory.pages.counts, expected);
      const { account, handy } = backing;
      expectEqual(
        'account',
        [account.allocated.base, account.balloonedPages],
        [expected.private + expected.shared + handy.count, ballooned.size],
      );
    }
    const { sharedPages, duplicatePages } = this.#host.figures;
    expectEqual('shared pages', [sharedPages, duplicatePages], [sharedIds.size, references - sharedIds.size]);
  }
}

function stateAt({ ranges }: GuestMemory, gcPhys: number): number {
  const range = ranges.get(gcPhys);
  return range.state[range.pageOf(gcPhys)];
}

function expectEqual(what: string, real: unknown, model: unknown): void {
  if (!isDeepStrictEqual(real, model))
    throw new Error(`${what}: ${JSON.stringify(real)}, the model says ${JSON.stringify(model)}`);
}

/** Plays one seed's game. @throws when a machine and the model differ */
export function playMachines(seed: number, steps: number): void {
  new MachinesGame(seed).play(steps);
}
