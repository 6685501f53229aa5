import fc from 'fast-check';
import { expect, it } from 'vitest';
import { isRam, PageKind } from '../../formats/pgm/page-batch.ts';
import { PAGE_SIZE } from '../../formats/sizes.ts';
import { checkIntegrity } from '../pgm/memory-integrity.ts';
import { PageType } from '../pgm/pages/page-states.ts';
import { MachinePair } from '../pgm/testing/machine-pair.ts';
import { operations } from '../pgm/testing/random-operations.ts';
import { DirtyTracker, type PageNames } from './dirty-tracker.ts';
import { Mirror } from './testing/mirror.ts';

type Pass = 'none' | 'lazy' | 'eager' | 'names';

/** Operations of another user of the write monitor. */
const OF_OTHERS = /^(engage|take|release)\(/;

/** A machine that is tracked while devices, a balloon, other machines and its user work on it. */
class Tracked {
  readonly pair = new MachinePair();
  readonly #tracker = new DirtyTracker(this.pair.real, 'test');
  readonly #mirror = new Mirror();
  readonly #looksAtAll: boolean;

  /** @param looksAtAll in each pass all blocks are looked into, whatever they are marked with */
  constructor(looksAtAll: boolean) {
    this.#looksAtAll = looksAtAll;
  }

  prepare(): void {
    this.#tracker.prepare();
  }

  /** @returns frames of RAM that the pass has handed over, and the counts after it */
  async pass(pass: number | 'final', how: Pass): Promise<unknown> {
    if (this.#looksAtAll) for (const { blocks } of this.pair.real.ranges) blocks.fill(0xff);
    this.#mirror.lastRam = [];
    await this.#tracker.scan(pass);
    const sink = how === 'names' ? { take: (batch: PageNames) => this.#readNamed(batch) } : this.#mirror;
    await this.#tracker.take(pass, sink, { eager: how !== 'lazy', contents: how !== 'names' });
    return { frames: this.#mirror.lastRam, counts: structuredClone(this.#tracker.counts) };
  }

  /** Ends tracking. @returns frames of RAM whose contents the other side does not have */
  finish(): number[] {
    const { real } = this.pair;
    const lost: number[] = [];
    for (const range of real.ranges) {
      for (let page = 0; page < range.pages; page++) {
        const frame = range.start / PAGE_SIZE + page;
        const known = this.#mirror.ram.get(frame)?.content ?? new Uint8Array(1);
        if (range.type[page] === PageType.RAM && Buffer.compare(known, real.pages.contentOf(range, page)) !== 0)
          lost.push(frame);
      }
    }
    this.#tracker.finish();
    return lost;
  }

  #readNamed({ kind, page, count }: PageNames): void {
    const { ranges, pages } = this.pair.real;
    for (let i = 0; i < count; i++) {
      if (!isRam(kind[i])) continue;
      const range = ranges.get(page[i] * PAGE_SIZE);
      const content = pages.contentOf(range, range.pageOf(page[i] * PAGE_SIZE)).slice();
      this.#mirror.ram.set(page[i], { kind: PageKind.RAM_RAW, content });
      this.#mirror.lastRam.push(page[i]);
    }
  }
}

it('tracks by blocks as if it looked at all pages, whoever changes them, and loses none', async () => {
  const passes = fc.array(fc.constantFrom<Pass>('none', 'none', 'none', 'lazy', 'eager', 'names'), {
    minLength: 150,
    maxLength: 150,
  });
  await fc.assert(
    fc.asyncProperty(operations, passes, fc.nat(20), async (sequence, after, before) => {
      const [tracked, naive] = [new Tracked(false), new Tracked(true)];
      for (const [i, { text, run }] of sequence.entries()) {
        if (i === Math.min(before, sequence.length - 1)) for (const each of [tracked, naive]) each.prepare();
        if (OF_OTHERS.test(text)) continue;
        for (const { pair } of [tracked, naive]) run(pair);
        if (i < before || after[i] === 'none') continue;
        expect(await tracked.pass(i, after[i])).toEqual(await naive.pass(i, after[i]));
      }
      expect(await tracked.pass('final', 'lazy')).toEqual(await naive.pass('final', 'lazy'));
      expect(checkIntegrity(tracked.pair.real)).toEqual([]);
      expect(tracked.finish()).toEqual([]);
      expect(tracked.pair.real.pages.counts).toMatchObject({ monitored: 0, writtenTo: 0 });
    }),
    { numRuns: 15 },
  );
});
