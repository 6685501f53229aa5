import { xxh64, xxh64Batch } from '../../../formats/kernels/xxh64.ts';
import { PAGE_SIZE } from '../../../formats/sizes.ts';
import type { HostMemory } from '../../gmm/host-memory.ts';
import { CHUNK_ID_SHIFT, NIL_PAGE_ID, offsetInChunk } from '../../gmm/page-id.ts';
import type { GuestMemory } from '../guest-memory.ts';
import type { OnOutcome, PageRequest } from '../pages/page-requests.ts';
import { PageState, PageType } from '../pages/page-states.ts';
import type { RamRange } from '../pages/ram-range.ts';
import { type ScannedRange, SharingIndex } from './sharing-index.ts';

/** Counts of a search for equal pages since it began. */
export interface SharingCounts {
  /** Rounds through all pages of all machines. */
  passes: number;
  /** Pages whose content was looked at. */
  hashedPages: number;
  /** Pages that had changed since the pass before, or were seen for the first time; they are left alone. */
  changedPages: number;
  /** Pages of zeros whose memory was given back. */
  zeroPages: number;
  /** Pages that were replaced by an equal one, of the same or of another machine. */
  exchangedPages: number;
  /** Requests that machines refused, as pages had changed meanwhile. */
  refusedRequests: number;
}

const BATCH = 128;
const ZERO_PAGE_HASH = Number(BigInt.asUintN(32, xxh64(new Uint8Array(PAGE_SIZE)))) || 1;

/**
 * Finds pages with equal bytes in the machines of a host, and lets them share one; pages of zeros are given back. Pages
 * are hashed; pages with an unchanged hash since the last pass are looked up; pages with equal hashes are compared byte
 * by byte; then the machines are asked to share them, and check once more. A write to a shared page copies it.
 *
 * VirtualBox shares modules that its guest additions report; this is the earlier design, a search by checksums
 * (guest-memory.md 8.3).
 */
export class PageSharing {
  /** Present counts. */
  readonly counts: SharingCounts = {
    passes: 0,
    hashedPages: 0,
    changedPages: 0,
    zeroPages: 0,
    exchangedPages: 0,
    refusedRequests: 0,
  };
  readonly #host: HostMemory;
  readonly #machines = new Map<GuestMemory, { runsRequests: boolean; generation: number }>();
  #index = new SharingIndex([]);
  #isStale = false;
  #rangeAt = 0;
  #pageAt = 0;
  // One batch: pages of one chunk.
  readonly #at = new Uint32Array(BATCH);
  readonly #numbers = new Uint32Array(BATCH);
  readonly #hashes = new BigUint64Array(BATCH);
  /** Low and high halves of the hashes. */
  readonly #halves = new Uint32Array(this.#hashes.buffer);

  /** @param host the host that all machines share */
  constructor(host: HostMemory) {
    this.#host = host;
  }

  /**
   * @param runsRequests the machine runs, and calls `requests.run()` when its CPUs are stopped; else requests are
   * carried out at once
   */
  add(memory: GuestMemory, runsRequests = false): void {
    this.#machines.set(memory, { runsRequests, generation: memory.ranges.generation });
    this.#isStale = true;
  }

  /** Ends the sharing of further pages with a machine. */
  remove(memory: GuestMemory): void {
    this.#machines.delete(memory);
    this.#isStale = true;
  }

  /**
   * Looks at the next pages, from the end of the last call on. Two passes find all equal pages; a thread of low
   * priority can call this for ever.
   */
  scan(pages: number): void {
    for (let left = pages; left > 0; ) {
      if (this.#isOutOfDate()) this.#beginAnew();
      const scanned = this.#index.ranges[this.#rangeAt];
      if (!scanned) {
        this.#beginPass();
        if (this.#index.pages === 0) return;
        continue;
      }
      const end = Math.min(scanned.range.pages, this.#pageAt + left);
      left -= end - this.#pageAt;
      this.#scanRange(scanned, this.#pageAt, end);
      this.#pageAt = end;
      if (end === scanned.range.pages) this.#nextRange();
    }
  }

  /** Scans all pages once. */
  scanAll(): void {
    if (this.#isOutOfDate()) this.#beginAnew();
    this.scan(this.#index.pages);
  }

  #isOutOfDate(): boolean {
    for (const [memory, machine] of this.#machines) {
      if (machine.generation !== memory.ranges.generation) {
        machine.generation = memory.ranges.generation;
        this.#isStale = true;
      }
    }
    return this.#isStale;
  }

  #beginAnew(): void {
    this.#isStale = false;
    this.#index = new SharingIndex(this.#machines.keys(), this.#index);
    this.#rangeAt = 0;
    this.#pageAt = 0;
  }

  #beginPass(): void {
    this.#index.clearTable();
    this.#rangeAt = 0;
    this.#pageAt = 0;
  }

  #nextRange(): void {
    this.#rangeAt++;
    this.#pageAt = 0;
    if (this.#rangeAt === this.#index.ranges.length) this.counts.passes++;
  }

  #scanRange(scanned: ScannedRange, start: number, end: number): void {
    const { memory, range, firstNumber } = scanned;
    // Memory under a write monitor is skipped: the monitor would see the changes of page states, too.
    if (memory.monitor.user !== undefined) return;
    let chunk = 0;
    let count = 0;
    for (let page = start; page < end; page++) {
      if (!mayShare(range, page)) continue;
      const pageId = range.pageId[page];
      if (count === BATCH || pageId >>> CHUNK_ID_SHIFT !== chunk) {
        this.#hashBatch(scanned, chunk, count);
        chunk = pageId >>> CHUNK_ID_SHIFT;
        count = 0;
      }
      this.#at[count] = offsetInChunk(pageId);
      this.#numbers[count++] = firstNumber + page;
    }
    this.#hashBatch(scanned, chunk, count);
  }

  #hashBatch(scanned: ScannedRange, chunk: number, count: number): void {
    if (count === 0) return;
    xxh64Batch(this.#host.chunkBytes(chunk << CHUNK_ID_SHIFT), this.#at, PAGE_SIZE, count, this.#hashes);
    this.counts.hashedPages += count;
    const { hashes } = this.#index;
    for (let i = 0; i < count; i++) {
      const hash = this.#halves[2 * i] || 1;
      const number = this.#numbers[i];
      if (hashes[number] === hash) this.#lookUp(scanned, number);
      else this.counts.changedPages++;
      hashes[number] = hash;
    }
  }

  #lookUp(scanned: ScannedRange, number: number): void {
    const { hashes } = this.#index;
    const { memory, range, firstNumber } = scanned;
    if (hashes[number] === ZERO_PAGE_HASH && range.state[number - firstNumber] === PageState.ALLOCATED) {
      this.#ask(memory, requestOf('drop-zeros', range, number - firstNumber), (outcome) =>
        this.#count(outcome, 'zeroPages'),
      );
      return;
    }
    this.#index.findOrAdd(number, (candidate) => this.#shareIfEqual(scanned, number, candidate));
  }

  /** @returns whether the pages are equal, which ends the search */
  #shareIfEqual({ memory, range, firstNumber }: ScannedRange, number: number, otherNumber: number): boolean {
    const page = number - firstNumber;
    const other = this.#index.rangeOf(otherNumber);
    const otherPage = otherNumber - other.firstNumber;
    const pageId = range.pageId[page];
    const otherId = other.range.pageId[otherPage];
    if (!mayShare(other.range, otherPage)) return false;
    if (pageId === otherId) return true;
    if (!this.#host.areEqual(pageId, otherId)) return false;
    const isShared = range.state[page] === PageState.SHARED;
    if (other.range.state[otherPage] === PageState.SHARED) {
      if (!isShared) this.#exchange(memory, range, page, otherId);
    } else if (isShared) {
      this.#exchange(other.memory, other.range, otherPage, pageId);
    } else {
      this.#ask(other.memory, requestOf('share', other.range, otherPage), (outcome) => {
        if (outcome === 'done') this.#exchange(memory, range, page, otherId);
        else this.counts.refusedRequests++;
      });
    }
    return true;
  }

  #exchange(memory: GuestMemory, range: RamRange, page: number, sharedId: number): void {
    const request: PageRequest = {
      what: 'exchange',
      gcPhys: range.addressOf(page),
      pageId: range.pageId[page],
      sharedId,
    };
    this.#ask(memory, request, (outcome) => this.#count(outcome, 'exchangedPages'));
  }

  #count(outcome: 'done' | 'refused', done: 'zeroPages' | 'exchangedPages'): void {
    this.counts[outcome === 'done' ? done : 'refusedRequests']++;
  }

  #ask(memory: GuestMemory, request: PageRequest, onOutcome: OnOutcome): void {
    if (this.#machines.get(memory)?.runsRequests) memory.requests.ask(request, onOutcome);
    else onOutcome(memory.requests.carryOut(request));
  }
}

function mayShare(range: RamRange, page: number): boolean {
  const state = range.state[page];
  if (state !== PageState.ALLOCATED && state !== PageState.SHARED) return false;
  return (
    range.type[page] === PageType.RAM &&
    range.pageId[page] !== NIL_PAGE_ID &&
    range.writeLocks[page] === 0 &&
    range.readLocks[page] === 0
  );
}

function requestOf(what: 'drop-zeros' | 'share', range: RamRange, page: number): PageRequest {
  return { what, gcPhys: range.addressOf(page), pageId: range.pageId[page] };
}
