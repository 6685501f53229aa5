import { randomFillSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { after, clock } from '../formats/world/waiting.ts';
import { useIdleTime } from './simulation/world/idle-time.ts';
import { mixedMachine } from './testing/mixed-machine.ts';
import { Pair } from './testing/pair.ts';
import { PlainMachine } from './testing/plain-machine.ts';
import type { FrameName } from './wire/frames.ts';
import { encodeFrame } from './wire/payload.ts';

// Targets that keep saying that they are there, and do nothing. Those are not silent, so no time-out of silence ends
// them.

useIdleTime();

const BEAT = encodeFrame('beat', {});
/** Time-outs that no test may wait for. */
const FAR = { frame: 60_000, hello: 60_000, beat: 10 };

/** A machine whose memory no codec makes small enough to be under way all at once. */
function noisyMachine(): PlainMachine {
  const machine = new PlainMachine(2500);
  randomFillSync(machine.memory);
  return machine;
}

/** Has the target give signs of life in place of a frame. */
function without(pair: Pair, withheld: FrameName): void {
  pair.tap = (from, name) => (from === 'target' && name === withheld ? BEAT : 'pass');
}

describe('a target that only says that it is still there', () => {
  it.each(['leaves', 'credit', 'arrived', 'ready'] as const)(
    'in place of %s does not keep anybody from cancelling',
    async (withheld) => {
      const pair = await Pair.create({ timeOuts: FAR });
      without(pair, withheld);
      const machine = noisyMachine();
      const abort = new AbortController();
      after(300, () => abort.abort());
      const start = clock();
      const outcome = await pair.migrate(machine, { timeOuts: FAR, signal: abort.signal, compression: 'never' }).then(
        (report) => report.outcome,
        (error: { code: string }) => error.code,
      );
      expect(outcome).toBe(withheld === 'leaves' ? 'interrupted' : 'kept');
      expect(clock() - start).toBeLessThan(2 * 300);
      expect([machine.isRunning, machine.isReleased, pair.host.machine?.isRunning ?? false]).toEqual([
        true,
        false,
        false,
      ]);
    },
  );

  it.each(['credit', 'arrived', 'ready'] as const)('in place of %s is given up in the end', async (withheld) => {
    const timeOuts = { frame: 40, hello: 1000, beat: 10 };
    const pair = await Pair.create({ timeOuts });
    without(pair, withheld);
    pair.limits.timeLimitMs = 300;
    const machine = noisyMachine();
    const { outcome, because } = await pair.migrate(machine, { timeOuts, compression: 'never' });
    expect([outcome, because]).toEqual(['kept', expect.stringMatching(/the time limit of 0.3 s is over/)]);
    expect([machine.isRunning, pair.host.machine?.isRunning]).toEqual([true, false]);
  });
});

it('Cancelling while the decision is being written comes too late: the machine goes', async () => {
  const pair = await Pair.create();
  const machine = mixedMachine(100);
  const abort = new AbortController();
  const write = pair.sourceLog.write.bind(pair.sourceLog);
  pair.sourceLog.write = async (decision) => {
    if (decision === 'handed-over') abort.abort();
    await write(decision);
  };
  const report = await pair.migrate(machine, { signal: abort.signal, stopAsking: AbortSignal.timeout(60_000) });
  expect(report.outcome).toBe('handed-over');
  expect([machine.isRunning, pair.host.machine?.isRunning]).toEqual([false, true]);
});
