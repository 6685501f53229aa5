import { describe, expect, it } from 'vitest';
import { Random } from '../../formats/testing/random.ts';
import { SimulatedFiles } from '../../formats/testing/simulated-files.ts';
import { judge } from './judge.ts';
import { MachinePlay } from './machine-play.ts';
import { drawAimedScenario, drawScenario, type Incident, type Scenario } from './scenario.ts';
import { shrink } from './shrink.ts';
import { SimulatedMachine } from './simulated-machine.ts';

/** Aimed seeds that find faults which are put in on purpose (`mutations.ts`). */
const FIND_FAULTS = [17, 21, 26, 32, 54, 88, 223, 258, 364, 374, 385, 1487, 5029];
/** The target is stopped for a minute in the midst of its promise. */
const STOPPED = 4_004_013;
/** A further stream comes after its target has given the link up. */
const LATE_STREAM = 8_000_927;
/** The source comes again after its target has given the machine up. */
const TOO_LATE = 8225;
/** Frames that arrive at the same time, and in their order. */
const AT_ONE_TIME = 9_023_957;
/** The target's disk neither keeps its decision nor takes it back, and its host crashes. */
const NEITHER_WAY = 100_086_445;

describe('migrations in a simulated world', () => {
  it('end with one machine, whatever goes wrong', { timeout: 60_000 }, async () => {
    const ends = { source: 0, target: 0, lost: 0 };
    for (let seed = 100_000; seed < 100_050; seed++) {
      const { faults, survivor } = await judge(drawScenario(seed));
      expect(faults, `seed ${seed}`).toEqual([]);
      ends[survivor]++;
    }
    // Else little would have been tried.
    expect(Math.min(ends.source, ends.target)).toBeGreaterThan(10);
  });

  it('end with one machine, whatever goes wrong while it is handed over', { timeout: 60_000 }, async () => {
    const met = new Set<string>();
    for (const seed of [
      ...FIND_FAULTS,
      STOPPED,
      LATE_STREAM,
      TOO_LATE,
      AT_ONE_TIME,
      NEITHER_WAY,
      ...Array(25).keys(),
    ]) {
      const { faults, log } = await judge(drawAimedScenario(seed));
      expect(faults, `seed ${seed}, aimed`).toEqual([]);
      for (const [, name] of log.join().matchAll(/"after":"frame","name":"(\w+)"/g)) met.add(name);
    }
    expect([...met]).toEqual(expect.arrayContaining(['commit', 'ready']));
  });

  it('end with one machine whose memory is compared, whatever goes wrong', { timeout: 60_000 }, async () => {
    const modes = new Set<string>();
    for (let seed = 1; seed <= 40; seed++) {
      const play = await judge({ ...drawAimedScenario(seed), compares: true });
      expect(play.faults, `seed ${seed}, aimed`).toEqual([]);
      if (play.proof) modes.add(play.proof);
    }
    expect([...modes].sort()).toEqual(['compared', 'full']);
  });

  it.each([50, 2])(
    'end over a link of %s KB/s, on which a large frame takes longer than a frame may',
    async (bytesPerMs) => {
      const scenario: Scenario = {
        ...drawScenario(1),
        ...{ pages: 619, workload: { everyMs: 1, pagesEach: 1, hot: 530, kind: 'counter' }, isPaused: false },
        ...{ streams: 1, compression: 'never', proof: 'full', isSeeded: false, missedWrites: 0, resumeWithinMs: 2000 },
        limits: { timeLimitMs: 10_000, onTimeLimit: 'force' },
        timeOuts: { frame: 2000, hello: 1000, beat: 200 },
        link: { latencyMs: 1, jitterMs: 0, bytesPerMs },
        troubles: [],
      };
      const play = await judge(scenario);
      expect(play).toMatchObject({ faults: [], survivor: bytesPerMs === 50 ? 'target' : 'source' });
    },
  );

  it('happen again just so', async () => {
    for (const seed of [7, 163]) {
      const [one, other] = [await judge(drawScenario(seed)), await judge(drawScenario(seed))];
      expect(other).toEqual(one);
    }
  });

  it('are made as small as a fault allows', async () => {
    const scenario = {
      ...drawScenario(9),
      streams: 4,
      pages: 20,
      troubles: [drawTroubles('cut'), drawTroubles('kill')].flat(),
    };
    const needsKill: typeof judge = async ({ troubles }) => ({
      ...{ log: [], survivor: 'lost', happened: 1, endedAt: 0 },
      faults: troubles.some(({ kind }) => kind === 'kill') ? [`fault ${troubles.length}`] : [],
    });
    const small = await shrink(scenario, needsKill);
    expect([small.scenario.streams, small.scenario.pages]).toEqual([1, 2]);
    expect(small.scenario.troubles.map(({ kind }) => kind)).toEqual(['kill']);
  });
});

/** Two troubles of a kind, out of the first scenarios that have some. */
function drawTroubles(kind: Incident['kind']): Incident[] {
  return Array.from({ length: 200 }, (_, seed) => drawScenario(seed).troubles)
    .flat()
    .filter((trouble) => trouble.kind === kind)
    .slice(0, 2);
}

describe('a guest', () => {
  it('that two machines have, that has lost a write, or goes back in time is noticed', () => {
    const scenario = drawScenario(1);
    const play = new MachinePlay(scenario);
    const at = (name: 'source' | 'target', ticks: number) =>
      SimulatedMachine.here(play.guest, play.hosts[name].start(), { memory: play.started.memory, ticks });
    at('source', 0).resume();
    expect(play.guest.faults).toEqual([]);
    at('target', 0).resume();
    expect(play.guest.faults).toEqual(['two machines: at the source and at the target']);
    play.guest.truth[4096] ^= 1;
    at('source', 7).resume();
    expect(play.guest.faults.slice(1)).toEqual([
      'two machines: at the source and at the source',
      'the source runs a machine that has gone on at the target',
      'a machine of tick 7 goes on, where the guest is at 0',
      expect.stringMatching(/^page 1 of/),
    ]);
  });
});

describe('a simulated disk', () => {
  it('has after a crash what was synced, and of the rest something or nothing', () => {
    const seen = new Set<string>();
    for (let seed = 0; seed < 60; seed++) {
      const files = new SimulatedFiles();
      const old = files.create('/a/old');
      old.write(Buffer.from('old'), 0);
      old.sync();
      files.syncFolder('/a');
      const fresh = files.create('/a/fresh');
      fresh.write(Buffer.from('fresh'), 0);
      if (seed % 2 === 0) fresh.sync();
      files.change(['/a/old', fresh], ['/a/fresh', undefined]);
      files.crash(new Random(seed));
      const there = files.names.get('/a/old')?.bytes.toString();
      if (seed % 2 === 0) expect(['old', 'fresh']).toContain(there);
      seen.add(`${seed % 2} ${there}`);
    }
    expect([...seen]).toEqual(expect.arrayContaining(['0 old', '0 fresh', '1 old', '1 ']));
  });
});
