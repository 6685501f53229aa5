import { hash } from 'node:crypto';
import { crc32 } from '../../formats/binary/crc32.ts';
import type { Pass } from '../../formats/errors.ts';
import { isZero } from '../../formats/kernels/zero.ts';
import { PageKind } from '../../formats/pgm/page-batch.ts';
import { PAGE_SIZE } from '../../formats/sizes.ts';
import { turn } from '../../formats/world/waiting.ts';
import { offsetInChunk } from '../gmm/page-id.ts';
import type { Mmio2Range } from '../pgm/devices/mmio2-ranges.ts';
import type { GuestMemory } from '../pgm/guest-memory.ts';
import type { HostBacking } from '../pgm/pages/host-backing.ts';
import type { LiveCounts } from './live-counters.ts';
import type { PageTaker } from './page-taker.ts';

const HALF = PAGE_SIZE / 2;
/** CRC-32 of half a page of zeros. */
const ZERO_HALF_CRC = 0xf1e8ba9e;
/** A page is taken after so many scans without a change. Source: PGMSavedState.cpp, pgmR3SaveMmio2Pages. */
const QUIET_SCANS = 3;
const SHA1_SIZE = 20;
/**
 * Every pass up to this one scans and takes MMIO2; of the later ones, every fourth scans it, and every fourth takes it.
 */
const EVERY_PASS_UNTIL = 10;

/** Pages between two turns for other work, which take some 2 ms. */
const STRETCH = 1024;

/** Whether MMIO2 is scanned in a live pass. */
export function scansMmio2(pass: number): boolean {
  return pass <= EVERY_PASS_UNTIL || (pass & 3) === 0;
}

/** Whether MMIO2 is taken in a live pass. */
export function takesMmio2(pass: number): boolean {
  return pass <= EVERY_PASS_UNTIL || (pass & 3) === 2;
}

/** Knowledge about the pages of one range. Source: PGMInternal.h, PGMLIVESAVEMMIO2PAGE. */
interface Tracked {
  range: Mmio2Range;
  /** Id in the list of MMIO2 ranges of the state. */
  id: number;
  dirty: Uint8Array;
  zero: Uint8Array;
  unchangedScans: Uint8Array;
  crc1: Uint32Array;
  crc2: Uint32Array;
  /** SHA-1 of the content taken last. */
  sha1: Uint8Array;
}

/** Dirty tracking of device memory by checksums (live-save.md 4.3), since nothing notices the writes of devices. */
export class Mmio2Tracker {
  readonly #backing: HostBacking;
  readonly #counts: LiveCounts;
  readonly #tracked: Tracked[];

  constructor(memory: GuestMemory, counts: LiveCounts) {
    this.#backing = memory.pages.backing;
    this.#counts = counts;
    this.#tracked = memory.mmio2.all.map((range, i) => ({
      range,
      id: i + 1,
      dirty: new Uint8Array(range.pages).fill(1),
      zero: new Uint8Array(range.pages).fill(1),
      unchangedScans: new Uint8Array(range.pages),
      crc1: new Uint32Array(range.pages).fill(ZERO_HALF_CRC),
      crc2: new Uint32Array(range.pages).fill(ZERO_HALF_CRC),
      sha1: new Uint8Array(range.pages * SHA1_SIZE),
    }));
    for (const { pages } of memory.mmio2.all) counts.mmio2.dirty += pages;
  }

  /** Compares every page with its checksums; in the final pass `take` does so. */
  async scan(pass: Pass): Promise<void> {
    if (pass === 'final' || !scansMmio2(pass)) return;
    for (const tracked of this.#tracked) {
      for (let page = 0; page < tracked.range.pages; page++) {
        this.#look(tracked, page);
        if (page % STRETCH === STRETCH - 1) await turn();
      }
    }
  }

  async take(pass: Pass, taker: PageTaker): Promise<void> {
    if (pass !== 'final' && !takesMmio2(pass)) return;
    for (const tracked of this.#tracked) {
      for (let page = 0; page < tracked.range.pages; page++) {
        const skips = pass === 'final' ? this.#isKnown(tracked, page) : !this.#isQuiet(tracked, page);
        if (!skips) this.#take(tracked, page, taker);
        if (taker.isFull || page % STRETCH === STRETCH - 1) await taker.hand();
      }
    }
  }

  putBack(id: number, page: number): void {
    const tracked = this.#tracked[id - 1];
    if (tracked) this.#becomeDirty(tracked, page);
  }

  /**
   * Whether a page matches its checksums; if not, updates the checksum of the first half that differs. A change of the
   * first half hides one of the second until the next look.
   */
  #look(tracked: Tracked, page: number): boolean {
    const { range, zero, unchangedScans, dirty } = tracked;
    const bytes = this.#backing.chunkBytes(range.pageId[page]);
    const at = offsetInChunk(range.pageId[page]);
    const wasZero = zero[page] === 1;
    if (this.#compare(tracked, page, bytes, at)) {
      if (dirty[page] && unchangedScans[page] < 0xff) unchangedScans[page]++;
      return true;
    }
    unchangedScans[page] = 0;
    this.#becomeDirty(tracked, page, wasZero);
    return false;
  }

  #compare({ zero, crc1, crc2 }: Tracked, page: number, bytes: Uint8Array, at: number): boolean {
    if (zero[page]) {
      if (isZero(bytes, at, PAGE_SIZE)) return true;
      zero[page] = 0;
      crc1[page] = crc32(bytes.subarray(at, at + HALF));
      return false;
    }
    const first = crc32(bytes.subarray(at, at + HALF));
    if (first !== crc1[page]) {
      crc1[page] = first;
      if (first === ZERO_HALF_CRC && isZero(bytes, at, PAGE_SIZE)) {
        crc2[page] = ZERO_HALF_CRC;
        zero[page] = 1;
      }
      return false;
    }
    const second = crc32(bytes.subarray(at + HALF, at + PAGE_SIZE));
    if (second === crc2[page]) return true;
    crc2[page] = second;
    return false;
  }

  #becomeDirty({ dirty, zero }: Tracked, page: number, wasZero = zero[page] === 1): void {
    if (dirty[page]) return;
    const { mmio2 } = this.#counts;
    dirty[page] = 1;
    mmio2.ready--;
    mmio2.dirty++;
    if (wasZero) mmio2.zero--;
  }

  #isQuiet(tracked: Tracked, page: number): boolean {
    return tracked.dirty[page] === 1 && tracked.unchangedScans[page] >= QUIET_SCANS && this.#look(tracked, page);
  }

  /** Whether the last taken content is the present one. CRCs alone do not decide that. */
  #isKnown(tracked: Tracked, page: number): boolean {
    if (tracked.dirty[page] || !this.#look(tracked, page)) return false;
    if (tracked.zero[page] === 1) return true;
    const id = tracked.range.pageId[page];
    return sha1Of(this.#backing.chunkBytes(id), offsetInChunk(id)).equals(
      tracked.sha1.subarray(page * SHA1_SIZE, (page + 1) * SHA1_SIZE),
    );
  }

  #take({ range, id, dirty, zero, sha1 }: Tracked, page: number, taker: PageTaker): void {
    const { mmio2 } = this.#counts;
    const bytes = this.#backing.chunkBytes(range.pageId[page]);
    const at = offsetInChunk(range.pageId[page]);
    if (isZero(bytes, at, PAGE_SIZE)) taker.add(PageKind.MMIO2_ZERO, page, id, 0);
    else {
      sha1.set(sha1Of(bytes, at), page * SHA1_SIZE);
      taker.add(PageKind.MMIO2_RAW, page, id, 0, bytes, at);
    }
    this.#counts.saved++;
    if (!dirty[page]) return;
    dirty[page] = 0;
    mmio2.dirty--;
    mmio2.ready++;
    if (zero[page]) mmio2.zero++;
  }
}

function sha1Of(bytes: Uint8Array, at: number): Buffer {
  return hash('sha1', bytes.subarray(at, at + PAGE_SIZE), 'buffer');
}
