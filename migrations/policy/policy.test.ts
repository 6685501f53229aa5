import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MigrationProgress } from '../report/migration-progress.ts';
import { chooseCompression } from './choose-compression.ts';
import { fullProofFits } from './choose-proof.ts';
import { decideRound, MIN_GUEST_SHARE, type RoundFigures } from './decide-round.ts';
import { forecast, pagesWithin } from './forecast.ts';
import { completeLimits, DEFAULT_LIMITS, type MigrationLimits } from './limits.ts';

const MB = 1e6;
const figures = (changes: Partial<RoundFigures> = {}): RoundFigures => ({
  ...{
    round: 3,
    elapsedMs: 5000,
    dirtyPages: 1000,
    dirtyBytes: 4 * MB,
    rate: 100 * MB,
    fixedMs: 20,
    history: [9000, 4000, 2000],
    guestShare: 1,
  },
  ...changes,
});
const limits = (changes: Partial<MigrationLimits> = {}): MigrationLimits => ({ ...DEFAULT_LIMITS, ...changes });

describe('completeLimits()', () => {
  it('fills in defaults for limits that are not given', () => {
    expect(completeLimits({})).toEqual(DEFAULT_LIMITS);
    expect(completeLimits({ maxDowntimeMs: 100, bandwidth: undefined as unknown as number })).toEqual({
      ...DEFAULT_LIMITS,
      maxDowntimeMs: 100,
    });
  });

  it.each([
    { bandwidth: 0 },
    { bandwidth: Number.NaN },
    { maxDowntimeMs: -1 },
    { timeLimitMs: '5' },
    { onTimeLimit: 'pause' },
    { downtime: 300 },
  ])('refuses %j', (given) => {
    expect(() => completeLimits(given as Partial<MigrationLimits>)).toThrow(/^Cannot migrate within limit \w+: it is /);
  });
});

describe('decideRound()', () => {
  it('stops the machine when the rest fits into the downtime, and says how long it will stand', () => {
    expect(decideRound(figures(), limits())).toMatchObject({ verdict: 'switch-over', downtimeMs: 60 });
    expect(decideRound(figures(), limits({ maxDowntimeMs: 50 }))).toMatchObject({
      verdict: 'another-round',
      downtimeMs: 60,
    });
  });

  it('counts a bandwidth limit, and what standing still takes besides pages', () => {
    expect(decideRound(figures(), limits({ bandwidth: 10 * MB })).downtimeMs).toBe(420);
    expect(decideRound(figures({ fixedMs: 290 }), limits()).verdict).toBe('another-round');
  });

  it('goes on while rounds get better, and sees when they do not', () => {
    const history = [9000, 5000, 5100, 5050, 5200, 5100, 5080];
    const stalled = figures({ dirtyPages: 5000, dirtyBytes: 50 * MB, history });
    expect(decideRound(stalled, limits())).toMatchObject({
      verdict: 'switch-over',
      because: expect.stringContaining('minimum'),
    });
    expect(decideRound({ ...stalled, dirtyPages: 6500 }, limits())).toMatchObject({
      verdict: 'another-round',
      because: 'stalled: waits for a minimum',
    });
    expect(decideRound({ ...stalled, dirtyBytes: 500 * MB }, limits()).verdict).toBe('another-round');
    expect(
      decideRound({ ...stalled, history: [90000, 70000, 50000, 30000, 20000, 10000, 7000] }, limits()).verdict,
    ).toBe('another-round');
  });

  it.each([
    ['cancel', 1, 'cancel', undefined],
    ['force', 1, 'switch-over', undefined],
    ['throttle', 1, 'throttle', 0.5],
    ['throttle', 0.5, 'throttle', 0.25],
    ['throttle', MIN_GUEST_SHARE, 'switch-over', undefined],
  ] as const)('when the time is over: %s, with a guest at %d: %s', (onTimeLimit, guestShare, verdict, share) => {
    const decision = decideRound(
      figures({ dirtyBytes: 500 * MB, elapsedMs: 60_000, guestShare }),
      limits({ timeLimitMs: 60_000, onTimeLimit }),
    );
    expect(decision).toMatchObject({ verdict, because: expect.stringContaining('60 s') });
    expect(decision.guestShare).toBe(share);
  });

  it('lets a machine go that dirties nothing, though standing still takes longer than is aimed at: rounds would go on for ever', () => {
    const idle = figures({ fixedMs: 400, dirtyPages: 0, dirtyBytes: 0, history: [0, 0, 0, 0, 0, 0, 0, 0] });
    expect(decideRound(idle, limits()).verdict).toBe('switch-over');
    expect(decideRound({ ...idle, history: [] }, limits()).verdict).toBe('switch-over');
    expect(decideRound({ ...idle, fixedMs: 2000 }, limits()).verdict).toBe('another-round');
  });

  it('lets a machine go whose pages take little beside the fixed downtime, but not by the figures of the first round', () => {
    const rate = 100 * MB;
    const few = figures({ fixedMs: 400, rate, dirtyPages: 900, dirtyBytes: 3.9 * MB, history: [1000] });
    expect(decideRound(few, limits()).verdict).toBe('switch-over');
    expect(decideRound({ ...few, dirtyBytes: 4.1 * MB }, limits()).verdict).toBe('another-round');
    expect(decideRound({ ...few, history: [] }, limits()).verdict).toBe('another-round');
    expect(decideRound({ ...few, fixedMs: 1499 }, limits()).verdict).toBe('another-round');
    // Just below and just above the longest time that it may stand still for, with fewer pages.
    expect(decideRound({ ...few, fixedMs: 290, dirtyBytes: 2.8 * MB }, limits()).verdict).toBe('another-round');
    expect(decideRound({ ...few, fixedMs: 301, dirtyBytes: 2.8 * MB }, limits()).verdict).toBe('switch-over');
  });

  it('never stops a machine for longer than is allowed, but when told to', () => {
    const anyFigures = fc.record({
      round: fc.nat(100),
      elapsedMs: fc.nat(100_000),
      dirtyPages: fc.nat(1e6),
      dirtyBytes: fc.nat(1e9),
      rate: fc.integer({ min: 1, max: 1e9 }),
      fixedMs: fc.nat(1000),
      history: fc.array(fc.nat(1e6), { maxLength: 20 }),
      guestShare: fc.constantFrom(1, 0.5, 0.25),
    });
    fc.assert(
      fc.property(anyFigures, (some) => {
        const { verdict, downtimeMs } = decideRound(some, limits({ timeLimitMs: Number.POSITIVE_INFINITY }));
        if (verdict === 'switch-over') expect(downtimeMs).toBeLessThanOrEqual(DEFAULT_LIMITS.stalledDowntimeMs);
        expect(['switch-over', 'another-round']).toContain(verdict);
      }),
    );
  });
});

describe('forecast()', () => {
  const guest = (pagesPerSecond: number) => [1, 2, 4].map((s) => ({ ms: s * 1000, pages: s * pagesPerSecond }));
  const about = {
    contentPages: 100_000,
    pageCount: 250_000,
    rate: 100 * MB,
    bytesPerPage: 4100,
    msPerPage: 0.001,
    lookMs: 0,
    hashMs: 10,
    otherMs: 10,
  };

  it('counts pages that are written while all of memory is looked through: rounds do not make them fewer', () => {
    const never = limits({ maxDowntimeMs: 1, stalledDowntimeMs: 1e4, timeLimitMs: 1e9 });
    const busy = { ...about, hashMs: 0, curve: guest(10_000) };
    const [noted, compared] = [0, 500].map((lookMs) => forecast({ ...busy, lookMs }, never).downtimeMs);
    // 10 000 pages a second for half a second, 4100 bytes each, at 100 MB/s; and what is written while those are sent.
    expect(compared - noted).toBeGreaterThan(5000 * (4100 / 100e3));
    expect(compared).toBeLessThan(10 + 2 * 5000 * (4100 / 100e3));
  });

  it('foretells that an idle machine takes one round', () => {
    expect(forecast({ ...about, curve: guest(0) }, limits())).toMatchObject({
      converges: true,
      rounds: 1,
      bytes: 410 * MB,
      downtimeMs: 20,
    });
  });

  it('foretells rounds for a machine that the link outruns', () => {
    const { converges, rounds, downtimeMs } = forecast({ ...about, curve: guest(10_000) }, limits());
    expect({ converges, some: rounds > 1 && rounds < 10, fits: downtimeMs <= 300 }).toEqual({
      converges: true,
      some: true,
      fits: true,
    });
  });

  it('leaves the hashing out of the downtime where it does not fit, and audits before', () => {
    const { converges, downtimeMs, totalMs } = forecast({ ...about, hashMs: 400, curve: guest(0) }, limits());
    expect({ converges, downtimeMs }).toEqual({ converges: true, downtimeMs: 10 });
    expect(totalMs).toBeCloseTo(4100 + 400 + 10, 6);
  });

  it('reckons in whole pages, however little is left of them', () => {
    const never = limits({ maxDowntimeMs: 1, stalledDowntimeMs: 1, timeLimitMs: 1e9 });
    const { bytes, because } = forecast({ ...about, hashMs: 10, otherMs: 10, curve: guest(100) }, never);
    expect(Number.isInteger(bytes)).toBe(true);
    expect(because).not.toMatch(/\d[.e][-\d]+ pages|e-\d/);
  });

  it('counts the processor where it is slower than the link', () => {
    expect(forecast({ ...about, msPerPage: 0.1, curve: guest(0) }, limits()).totalMs).toBeCloseTo(10_020, 6);
  });

  it('says why a machine that outruns the link would not come to an end', () => {
    const { converges, because } = forecast({ ...about, curve: guest(60_000) }, limits({ timeLimitMs: 60_000 }));
    expect(converges).toBe(false);
    expect(because).toMatch(/dirties about 234.4 MiB\/s, the link takes 95.3 MiB\/s of pages: the time limit/);
  });

  it('follows the measured curve, and its end beyond it', () => {
    const curve = [
      { ms: 100, pages: 50 },
      { ms: 200, pages: 60 },
    ];
    expect([0, 50, 100, 150, 200, 400].map((ms) => pagesWithin(curve, ms))).toEqual([0, 25, 50, 55, 60, 80]);
  });
});

describe('chooseCompression()', () => {
  it('compresses on slow links only, and where the processor has the time', () => {
    const slow = { compresses: false, waitingShare: 0.8, ratio: 0.5, rate: 50 * MB };
    expect(chooseCompression(slow)).toBe(true);
    expect(chooseCompression({ ...slow, rate: 800 * MB })).toBe(false);
    expect(chooseCompression({ ...slow, waitingShare: 0.2 })).toBe(false);
    expect(chooseCompression({ ...slow, ratio: 0.99 })).toBe(false);
    expect(chooseCompression({ ...slow, compresses: true, waitingShare: 0.05 })).toBe(false);
  });
});

describe('progress', () => {
  it('never goes backwards, whatever the guest dirties, and gives the time left as a range', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ pages: fc.nat(5000), dirtyRate: fc.nat(1e9) }), { minLength: 1, maxLength: 8 }),
        (rounds) => {
          const progress = new MigrationProgress(5000);
          let [now, before] = [0, 0];
          for (const [round, { pages, dirtyRate }] of rounds.entries()) {
            progress.beginRound(round, pages);
            for (const share of [0.1, 0.5, 1]) {
              now += 200;
              const told = progress.update(Math.floor(pages * share), pages * share * 4096, 1e8, 4096, now);
              expect(told?.total).toBeGreaterThanOrEqual(before);
              expect(told?.total).toBeLessThanOrEqual(1);
              expect(told?.leftMs[0]).toBeLessThanOrEqual(told?.leftMs[1] ?? -1);
              before = told?.total ?? before;
            }
            progress.endRound(dirtyRate, 100);
          }
        },
      ),
    );
  });
});

describe('fullProofFits()', () => {
  it.each([
    [100, 200, 300, true],
    [100, 200.1, 300, false],
    [0, 0, 0, true],
    [301, 0, 300, false],
    [10, 1e9, Number.POSITIVE_INFINITY, true],
  ] as const)('besides %d ms, hashing %d ms, within %d ms: %s', (otherMs, hashMs, allowedMs, fits) => {
    expect(fullProofFits({ otherMs, hashMs, allowedMs })).toBe(fits);
  });
});
