import { isDeepStrictEqual } from 'node:util';
import { PAGE_SIZE } from '../../../formats/sizes.ts';
import { Random } from '../../../formats/testing/random.ts';
import type { HostAccount } from '../host-account.ts';
import { HostMemory } from '../host-memory.ts';
import { HostMemoryError } from '../host-memory-error.ts';
import type { AccountName } from '../host-reservation.ts';
import { offsetInChunk, PAGES_PER_CHUNK } from '../page-id.ts';
import { NaiveHost, NaiveMachine, type NaivePage } from './naive-host.ts';

const MAX_PAGES = 3000;
const MOST_AT_ONCE = 700;
const ACCOUNTS = ['base', 'base', 'base', 'shadow', 'fixed'] as const;

interface Pair {
  real: HostAccount;
  naive: NaiveMachine;
}

/**
 * One seed's game: the same random operations on HostMemory and on the naive model; every answer, figure and byte must
 * be the same.
 */
class HostGame {
  readonly #random: Random;
  readonly #host: HostMemory;
  readonly #naive = new NaiveHost(MAX_PAGES);
  readonly #pairs: Pair[] = [];
  #written = 0;

  constructor(seed: number) {
    this.#random = new Random(seed);
    const capped = this.#random.below(2) === 0;
    this.#host = new HostMemory({ maxPages: MAX_PAGES, ...(capped && { maxMappedChunks: 2 + this.#random.below(2) }) });
  }

  play(steps: number): void {
    try {
      for (let step = 0; step < steps; step++) {
        this.#step();
        this.#compareFigures();
      }
      this.#compareBytes();
    } finally {
      this.#host.close();
    }
  }

  #step(): void {
    if (this.#pairs.length === 0) this.#begin();
    const pair = this.#random.pick(this.#pairs);
    const count = this.#random.below(this.#random.pick([3, 40, MOST_AT_ONCE]));
    this.#random.pick(this.#moves)(pair, count);
  }

  /** Moves to draw from; one that is to come more often stands here several times. */
  readonly #moves: readonly ((pair: Pair, count: number) => void)[] = [
    () => this.#pairs.length < 4 && this.#begin(),
    (pair) => this.#random.below(3) === 0 && this.#end(pair),
    (pair, count) => this.#allocate(pair, this.#random.pick(ACCOUNTS), count),
    (pair, count) => this.#allocate(pair, this.#random.pick(ACCOUNTS), count),
    (pair, count) => this.#free(pair, this.#random.pick(ACCOUNTS), this.#someIds(count)),
    (pair, count) => this.#free(pair, this.#random.pick(ACCOUNTS), this.#someIds(count)),
    () => this.#write(),
    () => this.#write(),
    () => this.#write(),
    ({ real, naive }, count) =>
      this.#same(() => real.balloon('inflate', count), this.#naive.balloon(naive, 'inflate', count)),
    ({ real, naive }, count) =>
      this.#same(() => real.balloon('deflate', count), this.#naive.balloon(naive, 'deflate', count)),
    ({ real, naive }) => this.#onSomePage((id) => this.#same(() => real.sharePage(id), this.#naive.share(naive, id))),
    ({ real, naive }) => this.#onSomePage((id) => this.#same(() => real.sharePage(id), this.#naive.share(naive, id))),
    (pair) => this.#exchange(pair),
    (pair) => this.#exchange(pair),
    (pair) => this.#exchange(pair),
    () => this.#defragment(),
  ];

  #begin(): void {
    const pair = { real: this.#host.openAccount(), naive: new NaiveMachine() };
    this.#naive.machines.push(pair.naive);
    this.#pairs.push(pair);
    const pages = {
      base: 1 + this.#random.below(1500),
      shadow: 1 + this.#random.below(30),
      fixed: 1 + this.#random.below(100),
    };
    const policy = this.#random.pick(['no-over-commitment', 'to-be-decided'] as const);
    this.#same(() => pair.real.reserve(pages, policy, 'normal'), this.#naive.reserve(pair.naive, pages, policy));
  }

  #end(pair: Pair): void {
    pair.real.close();
    this.#naive.end(pair.naive);
    this.#pairs.splice(this.#pairs.indexOf(pair), 1);
  }

  #allocate({ real, naive }: Pair, name: AccountName, count: number): void {
    const ids = new Uint32Array(count);
    const expected = this.#naive.mayAllocate(naive, name, count);
    this.#same(() => real.allocatePages(name, ids), expected);
    if (expected) return;
    this.#naive.allocated(naive, name, ids);
    for (const id of ids) this.#expectContent(id, 0);
  }

  #free({ real, naive }: Pair, name: AccountName, ids: number[]): void {
    // Whether a page that is not allocated is free, or of a chunk that went back, only the host knows.
    const code = codeOf(() => real.freePages(name, Uint32Array.from(ids)));
    expectEqual(
      'code',
      code,
      this.#naive.free(naive, name, ids, () => code !== 'page-not-found'),
    );
  }

  /** Numbers of pages, mostly of some that are allocated, whichever machine has them. */
  #someIds(count: number): number[] {
    const all = [...this.#naive.pages.keys()];
    const start = this.#random.below(all.length + 1);
    const ids = all.slice(start, start + count);
    if (this.#random.below(3) === 0)
      ids.push(this.#random.pick([0, 5, 0xffff_ffff, PAGES_PER_CHUNK * 9, ids[0] ?? PAGES_PER_CHUNK]));
    return ids;
  }

  #onSomePage(act: (id: number, page: NaivePage) => void): void {
    if (this.#naive.pages.size > 0) act(...this.#random.pick([...this.#naive.pages]));
  }

  /** Exchanges a page for a shared one; half of the time a machine's own page, which is allowed. */
  #exchange({ real, naive }: Pair): void {
    const willingly = this.#random.below(2) === 0;
    const pages = [...this.#naive.pages];
    const own = willingly ? pages.filter(([, { owner }]) => owner === naive) : pages;
    const shared = willingly ? pages.filter(([, { owner }]) => !owner) : pages;
    if (own.length === 0 || shared.length === 0) return;
    const [[id], [sharedId]] = [this.#random.pick(own), this.#random.pick(shared)];
    this.#same(() => real.exchangeForShared(id, sharedId), this.#naive.exchange(naive, id, sharedId));
  }

  /** Machines move the pages that they are asked to move, and the model is told. Expects no more chunks than before. */
  #defragment(): void {
    const { chunks } = this.#host.figures;
    for (const { real, naive } of this.#pairs) real.moveOut = (isLeaving) => this.#moveOut(real, naive, isLeaving);
    const { emptiedChunks } = this.#host.defragment(1 + this.#random.below(PAGES_PER_CHUNK));
    expectEqual('chunks', this.#host.figures.chunks <= chunks - emptiedChunks, true);
  }

  #moveOut(real: HostAccount, naive: NaiveMachine, isLeaving: (id: number) => boolean): void {
    for (const [id, page] of this.#naive.pages) {
      if (page.owner !== naive || !isLeaving(id)) continue;
      const newId = real.movePage(id);
      expectEqual('moved', [newId > 0, isLeaving(newId)], [true, false]);
      this.#naive.pages.delete(id);
      this.#naive.pages.set(newId, page);
    }
  }

  #write(): void {
    this.#onSomePage((id, page) => this.#onSomePage((other) => this.#writeTo(id, page, other)));
  }

  #writeTo(id: number, page: NaivePage, other: number): void {
    if (this.#random.below(2) === 0) {
      page.content = ++this.#written % 255;
      this.#host.chunkBytes(id).fill(page.content, offsetInChunk(id), offsetInChunk(id) + PAGE_SIZE);
    } else {
      page.content = this.#naive.pages.get(other)?.content ?? 0;
      this.#host.copyPage(other, id);
    }
    expectEqual('areEqual', this.#host.areEqual(id, other), page.content === this.#naive.pages.get(other)?.content);
  }

  #same(act: () => void, expected: string | undefined): void {
    expectEqual('code', codeOf(act), expected);
  }

  #compareFigures(): void {
    const { chunks, mappedChunks, maxMappedChunks, mappingMisses, bytes, freePages, ...figures } = this.#host.figures;
    const shared = [...this.#naive.pages.values()].filter(({ owner }) => !owner);
    expectEqual('figures', figures, {
      reservedPages: this.#naive.sum(({ reserved: { base, shadow, fixed } }) => base + shadow + fixed),
      overCommittedPages: this.#naive.sum(({ overCommitted }) => overCommitted),
      allocatedPages: this.#naive.pages.size,
      balloonedPages: this.#naive.sum(({ ballooned }) => ballooned),
      sharedPages: shared.length,
      duplicatePages: shared.reduce((sum, { references }) => sum + references - 1, 0),
      leftBehindSharedPages: this.#naive.leftBehind,
    });
    expectEqual('free pages', freePages, chunks * PAGES_PER_CHUNK - this.#naive.pages.size);
    expectEqual('mapped chunks', mappedChunks <= Math.min(chunks, maxMappedChunks), true);
    for (const { real, naive } of this.#pairs) {
      expectEqual(
        'accounts',
        [real.allocated, real.sharedPages, real.balloonedPages],
        [naive.allocated, naive.shared, naive.ballooned],
      );
    }
  }

  #compareBytes(): void {
    for (const [id, { content }] of this.#naive.pages) this.#expectContent(id, content);
  }

  #expectContent(id: number, content: number): void {
    const start = offsetInChunk(id);
    const bytes = this.#host.chunkBytes(id).subarray(start, start + PAGE_SIZE);
    expectEqual(`content of page ${id}`, [bytes[0], bytes.every((byte) => byte === bytes[0])], [content, true]);
  }
}

function codeOf(act: () => void): string | undefined {
  try {
    act();
    return undefined;
  } catch (error) {
    if (error instanceof HostMemoryError) return error.code;
    throw error;
  }
}

function expectEqual(what: string, real: unknown, naive: unknown): void {
  if (!isDeepStrictEqual(real, naive))
    throw new Error(`${what}: ${JSON.stringify(real)}, the model says ${JSON.stringify(naive)}`);
}

/** Plays one seed's game. @throws when the host and the model differ */
export function playHost(seed: number, steps: number): void {
  new HostGame(seed).play(steps);
}
