import { describe, expect, it } from 'vitest';
import { clock } from '../formats/world/waiting.ts';
import { useIdleTime } from './simulation/world/idle-time.ts';
import { mixedMachine } from './testing/mixed-machine.ts';
import { Pair } from './testing/pair.ts';
import type { PlainMachine } from './testing/plain-machine.ts';
import type { Fate } from './testing/wire-tap.ts';

useIdleTime();

/** Time-outs that no test may wait for. */
const timeOuts = { frame: 60_000, hello: 60_000, beat: 200 };
const SOON = timeOuts.frame / 4;

/** Few, so that there are few frames. */
const PAGES = 300;

function small(): PlainMachine {
  const machine = mixedMachine(PAGES);
  machine.onTakeDirty = () => machine.write((++machine.ticks * 7) % PAGES, 1, machine.ticks);
  return machine;
}

async function framesOf(streams: number): Promise<number> {
  const pair = await Pair.create({ timeOuts });
  let frames = 0;
  pair.tap = () => {
    frames++;
    return 'pass';
  };
  await pair.migrate(small(), { streams, timeOuts });
  return frames;
}

describe('a link that breaks', () => {
  it.each([
    ['before', 1],
    ['after', 1],
    ['before', 3],
  ] as const)('%s any frame, in whichever direction (%i streams), is soon mended', async (where, streams) => {
    const frames = await framesOf(streams);
    for (let at = 1; at <= frames; at++) {
      const pair = await Pair.create({ timeOuts });
      const machine = small();
      let seen = 0;
      let cut = '';
      pair.tap = (from, name): Fate => {
        if (++seen !== at) return 'pass';
        cut = `${where} ${name} of the ${from}, frame ${at}`;
        return `cut-${where}`;
      };
      const start = clock();
      const report = await pair.migrate(machine, { streams, timeOuts }).catch((error: Error) => error);
      if (report instanceof Error) {
        // A target that was never there is not tried again.
        expect([pair.events.length, machine.isRunning], `${cut}: ${report.message}`).toEqual([0, true]);
        continue;
      }
      expect(report, `${cut}: ${report.because}`).toMatchObject({ outcome: 'handed-over' });
      expect(clock() - start, cut).toBeLessThan(SOON);
      expect(Buffer.compare((pair.host.machine as PlainMachine).memory, machine.memory), cut).toBe(0);
      expect([machine.isRunning, pair.host.machine?.isRunning, report.stops <= 2], cut).toEqual([false, true, true]);
    }
  });

  it.each(['pages', 'arrived', 'rest', 'ready'] as const)(
    'at the source only (at %s) is mended: the new link takes over',
    async (name) => {
      const pair = await Pair.create({ timeOuts });
      const machine = small();
      let isCut = false;
      pair.tap = (_from, found) => {
        if (isCut || found !== name) return 'pass';
        isCut = true;
        return 'cut-source';
      };
      const start = clock();
      const report = await pair.migrate(machine, { timeOuts });
      expect(report).toMatchObject({ because: '', outcome: 'handed-over', attempts: 2 });
      expect(clock() - start).toBeLessThan(SOON);
    },
  );

  it('whenever the machine stands still ends the migration after three stops: the machine stays', async () => {
    const pair = await Pair.create({ timeOuts });
    const machine = small();
    pair.tap = (_from, name) => (name === 'ready' ? 'cut-before' : 'pass');
    const report = await pair.migrate(machine, { timeOuts });
    expect(report).toMatchObject({
      outcome: 'kept',
      stops: 3,
      because: expect.stringContaining('the machine was stopped 3 times'),
    });
    expect(machine).toMatchObject({ isRunning: true, isReleased: false });
    expect(pair.host.machine?.isRunning).toBe(false);
  });
});
