import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  DEFAULT_MAX_DOWNTIME_MS,
  type DirtyHistory,
  NO_HISTORY,
  type VoteFigures,
  type VoteResult,
  voteOnPass,
} from './vote.ts';

const IDLE = {
  savedPages: 0,
  elapsedSeconds: 1,
  maxDowntimeMs: DEFAULT_MAX_DOWNTIME_MS,
  allPages: 4096,
  ignoredPages: 0,
  zeroPages: 0,
};

/** The results of votes with these numbers of dirty pages, from pass 0 on. */
function votes(dirty: readonly number[], figures: Partial<VoteFigures> = {}): VoteResult[] {
  let history: DirtyHistory = NO_HISTORY;
  return dirty.map((dirtyPages, pass) => {
    const result = voteOnPass({ ...IDLE, ...figures, pass, history, dirtyPages });
    history = result.history;
    return result;
  });
}

describe('voteOnPass()', () => {
  it('is content with a machine that dirties nothing after the fourth vote, for unused slots hold 0x7fffffff', () => {
    expect(votes([0, 0, 0, 0]).map(({ vote, dirtyShort }) => [vote, dirtyShort])).toEqual([
      ['another-pass', 0x5fffffff],
      ['another-pass', 0x3fffffff],
      ['another-pass', 0x1fffffff],
      ['done', 0],
    ]);
  });

  it('divides the long average by 64 also after fewer votes', () => {
    expect(votes([6400, 640, 64, 63]).map(({ dirtyLong }) => dirtyLong)).toEqual([100, 110, 111, 111]);
  });

  it('wants the trend to fall: a short average above the long one is never enough up to pass 10', () => {
    expect(votes(Array(11).fill(100)).every(({ vote }) => vote === 'another-pass')).toBe(true);
  });

  it('accepts at a short average of 128 and a long one of 1024, or a long one of 256', () => {
    const long = (sum: number) => [sum - 3, 1, 1, 1, 0, 0, 0];
    expect(votes(long(64 * 1025 - 1)).at(-1)?.vote).toBe('done');
    expect(votes(long(64 * 1025)).at(-1)?.vote).toBe('another-pass');
    // Short average 200, so only the second rule can accept.
    expect(votes([64 * 256 - 800, 200, 200, 200, 200]).at(-1)).toMatchObject({
      vote: 'done',
      dirtyShort: 200,
      dirtyLong: 256,
    });
    expect(votes([64 * 257 - 800, 200, 200, 200, 200]).at(-1)).toMatchObject({ vote: 'another-pass', dirtyLong: 257 });
  });

  it('takes no peak: the last vote may exceed the short average by less than 16 pages and less than an eighth', () => {
    expect(votes([30000, 80, 80, 80, 85]).at(-1)?.vote).toBe('done');
    expect(votes([30000, 80, 80, 80, 100]).at(-1)).toMatchObject({ vote: 'another-pass', dirtyShort: 85 });
    expect(votes([12000, 128, 128, 128, 148]).at(-1)).toMatchObject({ vote: 'done', dirtyShort: 133 });
    expect(votes([12000, 128, 128, 128, 150]).at(-1)).toMatchObject({ vote: 'another-pass', dirtyShort: 133 });
  });

  describe('after pass 10', () => {
    const dirty = [64_000, ...Array(11).fill(1000)];
    const withSpeed = (savedPages: number, maxDowntimeMs = 250) => votes(dirty, { savedPages, maxDowntimeMs }).at(-1);

    it('accepts when the dirty pages take less than the downtime by either average, or less than half of it by the short one', () => {
      // Short average 1000, long 1171.
      expect(withSpeed(4685)).toMatchObject({ dirtyShort: 1000, dirtyLong: 1171, pagesPerSecond: 4685, vote: 'done' });
      expect(withSpeed(4660)).toMatchObject({ vote: 'another-pass' });
      expect(withSpeed(7938, 251)).toMatchObject({ vote: 'done' });
    });

    it('aims at no downtime under 32 ms', () => {
      expect(withSpeed(37_000, 1)).toMatchObject({ vote: 'done' });
      expect(withSpeed(31_250, 1)).toMatchObject({ vote: 'another-pass' });
    });

    it('does not accept without a speed, which VirtualBox divides by', () => {
      expect(withSpeed(0)).toMatchObject({ vote: 'another-pass', pagesPerSecond: 0 });
    });
  });

  it('reports 2 % of the live share a pass', () => {
    expect(votes(Array(60).fill(4000)).map(({ percent }) => percent)).toEqual(
      Array.from({ length: 60 }, (_, pass) => Math.min(2 * pass, 100)),
    );
  });

  it('reports nothing where all pages are zero or ignored', () => {
    expect(votes([10], { allPages: 10, zeroPages: 10 })[0].percent).toBeUndefined();
  });

  it('never changes the history that it was given', () => {
    votes(Array(70).fill(7));
    expect(NO_HISTORY.slots.every((slot) => slot === 0x7fffffff)).toBe(true);
  });

  it('agrees with the formula written out once more in rational arithmetic', () => {
    const run = fc.record({
      dirty: fc.array(fc.oneof(fc.nat(300), fc.nat(5000), fc.nat(10_000_000)), { minLength: 1, maxLength: 150 }),
      savedPages: fc.nat(200_000),
      elapsedMs: fc.integer({ min: 1, max: 20_000 }),
      maxDowntimeMs: fc.integer({ min: 1, max: 2000 }),
    });
    fc.assert(
      fc.property(run, ({ dirty, savedPages, elapsedMs, maxDowntimeMs }) => {
        const found = votes(dirty, { savedPages, elapsedSeconds: elapsedMs / 1000, maxDowntimeMs });
        for (const [pass, { vote, dirtyShort, dirtyLong }] of found.entries()) {
          const expected = naiveVote(dirty.slice(0, pass + 1), found[pass].pagesPerSecond, maxDowntimeMs);
          expect({ pass, vote, dirtyShort, dirtyLong }).toEqual({ pass, ...expected });
        }
      }),
      { numRuns: 200 },
    );
  });
});

/** The vote after the last of `dirty`, from the table of live-save.md 5, with integers of any size. */
function naiveVote(dirty: readonly number[], speed: number, maxDowntime: number) {
  const n = dirty.length - 1;
  const slot = (i: number) => BigInt(dirty.findLast((_, vote) => vote % 64 === i) ?? 0x7fffffff);
  const at = (i: number) => slot(((i % 64) + 64) % 64);
  const short = (at(n) + at(n - 1) + at(n - 2) + at(n - 3)) / 4n;
  let long = 0n;
  for (let i = 0; i <= n && i <= 63; i++) long += slot(i);
  long /= 64n;
  const now = BigInt(dirty[n]);
  const eighth = short / 8n;
  const candidate = short <= long && (now <= short || now - short < (eighth < 16n ? eighth : 16n));
  const within = (pages: bigint, limit: bigint) => speed > 0 && (pages * 1000n) / BigInt(speed) < limit;
  const max = BigInt(Math.max(32, maxDowntime));
  const early = (short <= 128n && long <= 1024n) || long <= 256n;
  const late = (within(long, max + 1n) && within(short, max)) || within(short, max / 2n);
  return {
    vote: candidate && (n > 10 ? late : early) ? 'done' : 'another-pass',
    dirtyShort: Number(short),
    dirtyLong: Number(long),
  };
}
