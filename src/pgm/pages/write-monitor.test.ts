import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PAGE_SIZE } from '../../../formats/sizes.ts';
import { enterWorld, world } from '../../../formats/world/world.ts';
import type { PageLock } from '../access/page-locks.ts';
import { GuestMemory } from '../guest-memory.ts';
import { checkIntegrity } from '../memory-integrity.ts';
import { refused } from '../testing/memory-checks.ts';
import { PageState } from './page-states.ts';
import { BLOCK_PAGES, BlockMark, type RamRange } from './ram-range.ts';

/** The last block is not whole. */
const PAGES = 3 * BLOCK_PAGES + 7;

/** A machine that finds changed pages by looking at each of them, and does not know of blocks. */
class NaiveTake {
  #next = 0;

  /** Frames that are to be taken now, by the states before. */
  take(range: RamRange, room: number): number[] {
    const frames: number[] = [];
    for (; this.#next < range.pages; this.#next++) {
      const page = this.#next;
      const isChanged =
        range.state[page] === PageState.ALLOCATED || range.wasWritten(page) || range.writeLocks[page] > 0;
      if (!isChanged) continue;
      if (frames.length === room) return frames;
      frames.push(page);
    }
    if (frames.length < room) this.#next = 0;
    return frames;
  }

  rewind(): void {
    this.#next = 0;
  }
}

const page = fc.oneof(
  fc.constantFrom(0, 1, BLOCK_PAGES - 1, BLOCK_PAGES, 2 * BLOCK_PAGES - 1, 2 * BLOCK_PAGES, PAGES - 1),
  fc.nat(PAGES - 1),
);
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ what: fc.constant('write' as const), page }) },
  {
    weight: 2,
    arbitrary: fc.record({
      what: fc.constantFrom(...(['free', 'balloon', 'deflate', 'lock', 'unlock', 'rewind', 'anew', 'large'] as const)),
      page,
    }),
  },
  { weight: 4, arbitrary: fc.record({ what: fc.constant('take' as const), page: fc.nat(9) }) },
);

describe('WriteMonitor', () => {
  it('finds by blocks what is found by looking at each page, wherever it stopped before', () => {
    fc.assert(
      fc.property(fc.boolean(), fc.array(step, { maxLength: 60 }), (isLarge, steps) => {
        const memory = new GuestMemory();
        const range = memory.registerRam(0, PAGES * PAGE_SIZE, 'Base RAM');
        memory.largePages.isEnabled = isLarge;
        const naive = new NaiveTake();
        const locks: PageLock[] = [];
        memory.monitor.engage('test');
        for (const { what, page: at } of steps) {
          if (what === 'take') {
            const frames = new Uint32Array(at + 1);
            const expected = naive.take(range, frames.length);
            expect([...frames.subarray(0, memory.monitor.take(frames))]).toEqual(expected);
          } else if (what === 'rewind') {
            naive.rewind();
            memory.monitor.rewind();
          } else if (what === 'anew') {
            memory.monitor.release('test');
            expect(memory.pages.counts).toMatchObject({ monitored: 0, writtenTo: 0 });
            memory.monitor.engage('test');
            naive.rewind();
          } else change(memory, range, what, at, locks);
        }
        expect(checkIntegrity(memory)).toEqual([]);
        memory.monitor.release('test');
        expect(memory.pages.counts).toMatchObject({ monitored: 0, writtenTo: 0 });
      }),
      { numRuns: 80 },
    );
  });

  it('is given back block by block while the machine runs on, and till then to nobody else', async () => {
    const memory = new GuestMemory();
    const range = memory.registerRam(0, PAGES * PAGE_SIZE, 'Base RAM');
    for (let at = 0; at < PAGES; at++) memory.write(at * PAGE_SIZE, Uint8Array.of(1));
    memory.monitor.engage('test');
    memory.monitor.take(new Uint32Array(PAGES + 1));
    let now = 0;
    const before = enterWorld({ ...world, time: { ...world.time, now: () => now++ } });
    const released = memory.monitor.releaseInTurns('test');
    enterWorld(before);
    const monitoredYet = memory.pages.counts.monitored;
    expect(monitoredYet).toBeGreaterThan(0);
    expect(monitoredYet).toBeLessThan(PAGES);
    refused(() => memory.monitor.engage('other'), 'VERR_PGM_WRITE_MONITOR_ENGAGED');
    for (let at = 0; at < PAGES; at += 5) memory.write(at * PAGE_SIZE, Uint8Array.of(2));
    await released;
    expect(memory.pages.counts).toMatchObject({ monitored: 0, writtenTo: 0 });
    expect(range.blocks.every((marks) => !(marks & BlockMark.MONITORED))).toBe(true);
    memory.monitor.engage('other');
  });

  it('looks into no block that nothing has happened to', () => {
    const memory = new GuestMemory();
    const range = memory.registerRam(0, PAGES * PAGE_SIZE, 'Base RAM');
    for (let at = 0; at < PAGES; at += 100) memory.write(at * PAGE_SIZE, Uint8Array.of(1));
    memory.monitor.engage('test');
    const frames = new Uint32Array(PAGES);
    for (let round = 0; round < 2; round++) memory.monitor.take(frames);
    expect([...range.blocks].map((marks) => marks & BlockMark.CHANGED)).toEqual([0, 0, 0, 0]);
    memory.write(BLOCK_PAGES * PAGE_SIZE, Uint8Array.of(1), 'device');
    expect([...range.blocks].map((marks) => marks & BlockMark.CHANGED)).toEqual([0, 1, 0, 0]);
  });
});

function change(
  memory: GuestMemory,
  range: RamRange,
  what: 'write' | 'free' | 'balloon' | 'deflate' | 'lock' | 'unlock' | 'large',
  page: number,
  locks: PageLock[],
): void {
  const isLocked = range.writeLocks[page] > 0;
  const isBallooned = range.state[page] === PageState.BALLOONED;
  if (what === 'write') memory.write(page * PAGE_SIZE, Uint8Array.of(1));
  else if (what === 'lock' && !isBallooned) locks.push(memory.locks.lockForWriting(page * PAGE_SIZE));
  else if (what === 'unlock') locks.pop()?.release();
  else if (what === 'large') memory.largePages.isEnabled = !memory.largePages.isEnabled;
  else if ((what === 'free' || what === 'balloon') && !isLocked) memory.pages.apply(what, range, page);
  else if (what === 'deflate' && isBallooned) memory.pages.apply(what, range, page);
}
