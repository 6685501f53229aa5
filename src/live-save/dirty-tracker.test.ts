import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type PageBatch, PageKind } from '../../formats/pgm/page-batch.ts';
import { PAGE_SIZE } from '../../formats/sizes.ts';
import { enterWorld, world } from '../../formats/world/world.ts';
import { GuestMemory } from '../pgm/guest-memory.ts';
import { PageState } from '../pgm/pages/page-states.ts';
import { BLOCK_PAGES, type RamRange } from '../pgm/pages/ram-range.ts';
import { DirtyTracker, type PageNames } from './dirty-tracker.ts';
import { Mirror } from './testing/mirror.ts';
import { NaiveRam } from './testing/naive-ram.ts';

const PAGES = 12;

function ramMachine(pages = PAGES): { memory: GuestMemory; range: RamRange; tracker: DirtyTracker } {
  const memory = new GuestMemory();
  const range = memory.registerRam(0, pages * PAGE_SIZE, 'Base RAM');
  return { memory, range, tracker: new DirtyTracker(memory, 'test') };
}

function writeByte(memory: GuestMemory, page: number, value: number, origin: number | 'device' = 0): void {
  memory.write(page * PAGE_SIZE + 7, Uint8Array.of(value), origin);
}

/** Does one live pass. @returns the page frames that came */
async function pass(tracker: DirtyTracker, number: number | 'final', mirror: Mirror, eager = false): Promise<number[]> {
  mirror.lastRam = [];
  await tracker.scan(number);
  await tracker.take(number, mirror, { eager });
  return mirror.lastRam;
}

describe('DirtyTracker, RAM', () => {
  it('sends a page that holds something when it was quiet for one whole pass, zero pages at once', async () => {
    const { memory, tracker } = ramMachine(4);
    writeByte(memory, 2, 1);
    tracker.prepare();
    const mirror = new Mirror();
    expect(await pass(tracker, 0, mirror)).toEqual([0, 1, 3]);
    expect(await pass(tracker, 1, mirror)).toEqual([2]);
    expect(await pass(tracker, 2, mirror)).toEqual([]);
    tracker.finish();
  });

  it('looks at no page before the first scan, which lets others run in between', async () => {
    const { memory, tracker } = ramMachine(4 * BLOCK_PAGES);
    writeByte(memory, 3 * BLOCK_PAGES, 1);
    tracker.prepare();
    expect(tracker.counts.ram).toMatchObject({ dirty: 0, monitored: 0 });
    let now = 0;
    const known: number[] = [];
    const turn = (work: () => void) => {
      known.push(tracker.counts.ram.dirty / BLOCK_PAGES);
      before.time.turn(work);
    };
    const before = enterWorld({ ...world, time: { ...world.time, now: () => now++, turn } });
    await tracker.scan(0);
    enterWorld(before);
    expect(known).toEqual([1, 2, 3, 4]);
    expect(tracker.counts.ram).toMatchObject({ dirty: 4 * BLOCK_PAGES, monitored: 1 });
    tracker.finish();
  });

  it('sends a page that holds something at once when no quiet pass is asked for', async () => {
    const { memory, tracker } = ramMachine(4);
    writeByte(memory, 2, 1);
    tracker.prepare();
    expect(await pass(tracker, 0, new Mirror(), true)).toEqual([0, 1, 2, 3]);
    tracker.finish();
  });

  it.each([
    ['CPU 0', 0],
    ['a device', 'device'],
  ] as const)('sends a page again that %s has written', async (_, origin) => {
    const { memory, tracker } = ramMachine(4);
    for (let page = 0; page < 4; page++) writeByte(memory, page, 1);
    tracker.prepare();
    const mirror = new Mirror();
    for (let number = 0; number < 2; number++) await pass(tracker, number, mirror);
    writeByte(memory, 3, 9, origin);
    expect(tracker.dirtyPages).toBe(1);
    expect(await pass(tracker, 2, mirror)).toEqual([]);
    expect(await pass(tracker, 3, mirror)).toEqual([3]);
    expect(mirror.ram.get(3)?.content[7]).toBe(9);
    tracker.finish();
  });

  it('never sends a page that is written in every pass, before the final one', async () => {
    const { memory, tracker } = ramMachine(4);
    tracker.prepare();
    const mirror = new Mirror();
    for (let number = 0; number < 20; number++) {
      writeByte(memory, 1, number + 1);
      expect(await pass(tracker, number, mirror)).not.toContain(1);
    }
    expect(await pass(tracker, 'final', mirror)).toEqual([1]);
    expect(mirror.ram.get(1)?.content[7]).toBe(20);
    tracker.finish();
  });

  it('sends a write that comes between the taking of its page and the end of the pass', async () => {
    const { memory, tracker } = ramMachine(600);
    for (let page = 0; page < 600; page++) writeByte(memory, page, 1);
    tracker.prepare();
    const mirror = new Mirror();
    await pass(tracker, 0, mirror);
    await tracker.scan(1);
    let batches = 0;
    await tracker.take(1, {
      take: (batch) => {
        mirror.take(batch);
        if (batches++ === 0) writeByte(memory, 0, 77);
      },
    });
    expect(batches).toBe(3);
    expect(await pass(tracker, 'final', mirror)).toEqual([0]);
    expect(mirror.ram.get(0)?.content[7]).toBe(77);
    tracker.finish();
  });

  it('does not go on counting pages that were freed or ballooned while they were monitored', async () => {
    const { memory, range, tracker } = ramMachine(4);
    for (let page = 0; page < 4; page++) writeByte(memory, page, 1);
    tracker.prepare();
    const mirror = new Mirror();
    for (let number = 0; number < 2; number++) await pass(tracker, number, mirror);
    memory.pages.apply('free', range, 1);
    memory.pages.apply('balloon', range, 2);
    expect(await pass(tracker, 2, mirror)).toEqual([1]);
    expect(tracker.dirtyPages).toBe(0);
    expect(await pass(tracker, 'final', mirror)).toEqual([2]);
    tracker.finish();
  });

  it('names pages without their contents where only names are wanted', async () => {
    const { memory, tracker } = ramMachine(2);
    writeByte(memory, 1, 1);
    tracker.prepare();
    await tracker.scan(0);
    const named: number[][] = [];
    await tracker.take(
      0,
      { take: (batch) => void named.push([...batch.page.subarray(0, batch.count)]) },
      { contents: false, eager: true },
    );
    expect(named).toEqual([[0, 1]]);
    tracker.finish();
  });

  it('names also a page that was written after the scan, and again after the next one', async () => {
    const { memory, tracker } = ramMachine(2);
    tracker.prepare();
    const named: number[][] = [];
    const sink = { take: (batch: PageNames) => void named.push([...batch.page.subarray(0, batch.count)]) };
    for (let pass = 0; pass < 3; pass++) {
      await tracker.scan(pass);
      if (pass < 2) writeByte(memory, 1, pass + 1);
      await tracker.take(pass, sink, { contents: false, eager: true });
    }
    expect(named).toEqual([[0, 1], [1], [1]]);
    tracker.finish();
  });

  it.each([
    [PAGES, 150],
    [3 * BLOCK_PAGES, 8],
  ])(
    'sends nothing twice and ends with equal memory, page by page as the naive model does, whatever is written, freed and ballooned, of %i pages',
    async (pages, numRuns) => {
      const page = fc.nat(PAGES - 1).map((number) => Math.floor((number * (pages - 1)) / (PAGES - 1)));
      const step = fc.oneof(
        fc.record({ do: fc.constant('write' as const), page, value: fc.nat(3) }),
        fc.record({
          do: fc.constantFrom('free' as const, 'balloon' as const, 'deflate' as const),
          page,
          value: fc.constant(0),
        }),
        fc.record({
          do: fc.constantFrom('pass' as const, 'eager' as const),
          page: fc.constant(0),
          value: fc.constant(0),
        }),
      );
      await fc.assert(
        fc.asyncProperty(
          fc.array(step, { maxLength: 30 }),
          fc.array(step, { maxLength: 60 }),
          async (before, during) => {
            const { memory, range, tracker } = ramMachine(pages);
            const naive = new NaiveRam(pages);
            for (const each of before) apply(memory, range, naive, each.do, each.page, each.value);
            tracker.prepare();
            naive.prepare();
            const mirror = new Mirror();
            for (const each of during) {
              if (each.do === 'pass' || each.do === 'eager') {
                naive.scan();
                const taken = naive.take(false, each.do === 'eager');
                expect(await pass(tracker, 0, mirror, each.do === 'eager')).toEqual(taken);
                expectCounts(tracker, naive);
              } else apply(memory, range, naive, each.do, each.page, each.value);
            }
            naive.scan();
            const taken = naive.take(true, false);
            expect(await pass(tracker, 'final', mirror)).toEqual(taken);
            expectEqual(memory, range, mirror, naive);
            tracker.finish();
            expectGivenBack(memory, range);
          },
        ),
        { numRuns },
      );
    },
  );
});

describe('DirtyTracker, classic ways to lose a page', () => {
  it('a second save sends what was written before the first', async () => {
    const { memory, range, tracker } = ramMachine();
    for (let run = 1; run <= 3; run++) {
      writeByte(memory, 1, run);
      tracker.prepare();
      writeByte(memory, 2, run);
      const mirror = new Mirror();
      for (let number = 0; number < 3; number++) await pass(tracker, number, mirror);
      writeByte(memory, 3, run);
      await pass(tracker, 'final', mirror);
      expect([1, 2, 3].map((page) => mirror.ram.get(page)?.content[7])).toEqual([run, run, run]);
      expect(mirror.ram.size).toBe(PAGES);
      tracker.finish();
      expectGivenBack(memory, range);
    }
  });

  it('pages that a failed attempt took are dirty again', async () => {
    const { memory, tracker } = ramMachine(600);
    for (let page = 0; page < 600; page++) writeByte(memory, page, 5);
    tracker.prepare();
    await tracker.scan(0);
    await tracker.scan(1);
    const dirty = tracker.dirtyPages;
    let batches = 0;
    const broken = { take: () => (++batches === 2 ? Promise.reject(new Error('link cut')) : undefined) };
    await expect(tracker.take(1, broken)).rejects.toThrow('link cut');
    // The first batch was accepted, the second not.
    expect(tracker.dirtyPages).toBe(dirty - 256);
    const mirror = new Mirror();
    await tracker.take(1, mirror);
    expect(mirror.lastRam.at(0)).toBe(256);
    expect(mirror.lastRam).toHaveLength(600 - 256);
    tracker.finish();
  });

  it('pages that the other side did not confirm can be put back', async () => {
    const { memory, tracker } = ramMachine();
    writeByte(memory, 4, 5);
    tracker.prepare();
    const unconfirmed: PageNames[] = [];
    const copy = (batch: PageBatch) =>
      void unconfirmed.push({
        count: batch.count,
        kind: batch.kind.slice(),
        page: batch.page.slice(),
        id: batch.id.slice(),
      });
    for (let number = 0; number < 3; number++) {
      await tracker.scan(number);
      await tracker.take(number, { take: copy });
    }
    expect(tracker.counts.ram).toMatchObject({ ready: PAGES, dirty: 0 });
    for (const batch of unconfirmed) tracker.putBack(batch);
    expect(tracker.counts.ram).toMatchObject({ ready: 0, dirty: PAGES });
    const mirror = new Mirror();
    await pass(tracker, 3, mirror);
    expect(mirror.ram.size).toBe(PAGES);
    expect(mirror.ram.get(4)).toMatchObject({ kind: PageKind.RAM_RAW });
    tracker.finish();
  });

  it('a second user is refused, and the first one is not disturbed', async () => {
    const { memory, range, tracker } = ramMachine();
    writeByte(memory, 1, 1);
    tracker.prepare();
    await tracker.scan(0);
    const second = new DirtyTracker(memory, 'another');
    expect(() => second.prepare()).toThrow(expect.objectContaining({ vboxCode: 'VERR_PGM_WRITE_MONITOR_ENGAGED' }));
    second.finish();
    expect(range.state[1]).toBe(PageState.WRITE_MONITORED);
    tracker.finish();
    second.prepare();
    second.finish();
    expectGivenBack(memory, range);
  });

  it('refuses to be used unprepared', async () => {
    const { tracker } = ramMachine();
    await expect(tracker.scan(0)).rejects.toThrow('not prepared');
    await expect(tracker.take(0, new Mirror())).rejects.toThrow('not prepared');
  });
});

function apply(memory: GuestMemory, range: RamRange, naive: NaiveRam, what: string, page: number, value: number): void {
  if (what === 'write') {
    writeByte(memory, page, value);
    naive.write(page, value);
  } else if (what === 'free') {
    memory.pages.apply('free', range, page);
    naive.free(page);
  } else if (what === 'balloon') {
    memory.pages.apply('balloon', range, page);
    naive.balloon(page);
  } else if (what === 'deflate' && range.state[page] === PageState.BALLOONED) {
    memory.pages.apply('deflate', range, page);
    naive.deflate(page);
  }
}

function expectCounts(tracker: DirtyTracker, { pages }: NaiveRam): void {
  const dirty = pages.filter(({ isDirty }) => isDirty).length;
  const zero = pages.filter(({ isDirty, isZero }) => !isDirty && isZero).length;
  expect(tracker.counts.ram).toMatchObject({ dirty, ready: pages.length - dirty, zero });
}

function expectEqual(memory: GuestMemory, range: RamRange, mirror: Mirror, { pages }: NaiveRam): void {
  const content = new Uint8Array(PAGE_SIZE);
  const wrong: number[] = [];
  for (let page = 0; page < range.pages; page++) {
    memory.read(page * PAGE_SIZE, content);
    const saved = mirror.ram.get(page);
    const isEqual =
      Buffer.compare(saved?.content ?? new Uint8Array(0), content) === 0 &&
      content[7] === pages[page].content &&
      (saved?.kind === PageKind.RAM_BALLOONED) === (range.state[page] === PageState.BALLOONED);
    if (!isEqual) wrong.push(page);
  }
  expect(wrong).toEqual([]);
}

function expectGivenBack(memory: GuestMemory, range: RamRange): void {
  expect(memory.pages.counts).toMatchObject({ monitored: 0, writtenTo: 0 });
  const kept = [...range.state.keys()].filter(
    (page) => range.state[page] === PageState.WRITE_MONITORED || range.wasWritten(page),
  );
  expect(kept).toEqual([]);
}
