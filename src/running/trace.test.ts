import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { UnsupportedError } from '../../formats/errors.ts';
import { MIB } from '../../formats/sizes.ts';
import { DirtyTracker } from '../live-save/dirty-tracker.ts';
import { emptyMachine } from './empty-machine.ts';
import { RunningMachine } from './running-machine.ts';
import { NOWHERE } from './schedule.ts';
import { readTrace, TraceRecorder, traceLines } from './trace.ts';

async function* lines(...texts: string[]): AsyncGenerator<string> {
  yield* texts;
}

const HEAD = '{"format":"savkit-trace/1","intervalMs":10}';

describe('dirty traces', () => {
  it('are read as they were written', async () => {
    const places = fc
      .array(fc.oneof(fc.nat(50), fc.constant(NOWHERE)), { maxLength: 60 })
      .map((list) => Uint32Array.from([...list, NOWHERE]));
    await fc.assert(
      fc.asyncProperty(places, fc.integer({ min: 1, max: 60_000 }), async (list, intervalMs) => {
        const trace = { intervalMs, places: list };
        expect(await readTrace(lines(...traceLines(trace)))).toEqual(trace);
      }),
    );
  });

  it.each([
    ['', [''], 'line 1: it is not JSON'],
    ['another format', ['{"format":"x"}'], 'line 1: format is not savkit-trace/1'],
    [
      'intervals of no time',
      ['{"format":"savkit-trace/1","intervalMs":0}'],
      'line 1: intervalMs is not a whole number from 1 to 60000',
    ],
    ['no interval', [HEAD], 'there is no interval'],
    ['no list', [HEAD, '{}'], 'line 2: it is no list'],
    ['no run', [HEAD, '[[1]]'], 'line 2: [1] is no run'],
    ['a page below 0', [HEAD, '[[-1,1]]'], 'is no run'],
    ['part of a page', [HEAD, '[[0.5,1]]'], 'is no run'],
    ['a run beyond all pages', [HEAD, '[[0,4294967296]]'], 'is no run'],
    ['no runs but lists', [HEAD, '[[],[]]'], '[] is no run'],
    ['lists in lists', [HEAD, '['.repeat(100)], 'is no run'],
    ['a list without an end', [HEAD, '[[1,1],'], 'is no run'],
    ['two lists', [HEAD, '[[1,1]][[1,1]]'], 'is no run'],
  ])('are refused for %s', async (_, texts, why) => {
    await expect(readTrace(lines(...texts))).rejects.toMatchObject({
      code: 'bad-trace',
      message: expect.stringContaining(why),
    });
  });

  it('of more pages than are supported are not called bad', async () => {
    await expect(readTrace(lines(HEAD, '[[0,4000000000]]'))).rejects.toBeInstanceOf(UnsupportedError);
  });

  it('replay what was recorded: the same pages, interval by interval', async () => {
    const first = RunningMachine.of(await emptyMachine(4 * MIB), { kind: 'hot', pages: 30, seed: 3 });
    const recorder = new TraceRecorder(first, 10);
    recorder.start();
    for (let interval = 0; interval < 5; interval++) {
      first.runSteps(7);
      recorder.endInterval();
    }
    const trace = recorder.stop();
    const second = RunningMachine.of(await emptyMachine(4 * MIB), { kind: 'trace', trace });
    const again = new TraceRecorder(second, 10);
    again.start();
    for (let interval = 0; interval < 5; interval++) {
      second.guest.tickIntervals(1);
      again.endInterval();
    }
    expect(again.stop()).toEqual(trace);
    expect(second.selfCheck().faults).toEqual([]);
  });

  it('dirty the same pages for a tracker, whenever they are replayed', async () => {
    const places = Uint32Array.of(5, 9, NOWHERE, 5, 17, NOWHERE);
    for (let run = 0; run < 2; run++) {
      const { memory, guest } = RunningMachine.of(await emptyMachine(4 * MIB), {
        kind: 'trace',
        trace: { intervalMs: 5, places },
      });
      const tracker = new DirtyTracker(memory, 'test');
      tracker.prepare();
      await tracker.scan(0);
      await tracker.take(0, { take: () => {} }, { eager: true, contents: false });
      const dirty: number[][] = [];
      for (let interval = 0; interval < 2; interval++) {
        guest.tickIntervals(1);
        await tracker.scan(interval);
        const frames: number[] = [];
        await tracker.take(
          interval,
          {
            take: ({ page, kind, count }) =>
              void frames.push(...page.subarray(0, count).filter((_, i) => kind[i] <= 1)),
          },
          { eager: true, contents: false },
        );
        dirty.push(frames.map((frame) => frame - 256));
      }
      // The control block, and the trace, stand at the end of RAM; only the former is written.
      expect(dirty).toEqual([
        [5, 9, 767],
        [5, 17, 767],
      ]);
      tracker.finish();
    }
  });
});
