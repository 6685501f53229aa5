import { expect, it } from 'vitest';
import { EnvironmentError } from '../formats/errors.ts';
import { after } from '../formats/world/waiting.ts';
import type { Decision, DecisionMemory } from './hand-over/decision-record.ts';
import { useIdleTime } from './simulation/world/idle-time.ts';
import { mixedMachine } from './testing/mixed-machine.ts';
import { Pair } from './testing/pair.ts';

useIdleTime();

/** Has the disk refuse a decision, as a full one does, for a number of attempts. */
function refuse(log: DecisionMemory, decision: Decision, times: number): void {
  const write = log.write.bind(log);
  let left = times;
  log.write = async (wanted) => {
    if (wanted === decision && left-- > 0)
      throw new EnvironmentError('ENOSPC', `Cannot write down ${wanted}: no space`);
    await write(wanted);
  };
}

/** Migrates while one side can't write down a decision. @returns which sides run the machine */
async function runsWithout(side: 'source' | 'target', decision: Decision, times: number) {
  const pair = await Pair.create({ keepMs: 30 });
  const machine = mixedMachine(100);
  refuse(side === 'source' ? pair.sourceLog : pair.targetLog, decision, times);
  const stop = new AbortController();
  after(5000, () => stop.abort());
  const { outcome } = await pair
    .migrate(machine, { resumeWithinMs: 50, stopAsking: stop.signal })
    .catch(() => ({ outcome: 'kept' }));
  return {
    outcome,
    here: machine.isRunning,
    there: pair.host.machine?.isRunning ?? false,
    isReleased: machine.isReleased,
    pair,
  };
}

it.each([
  ['source', 'migrating', 'kept'],
  ['source', 'handed-over', 'kept'],
  // The record still says `handed-over`, which means the same.
  ['source', 'done', 'handed-over'],
  ['target', 'receiving', 'kept'],
  ['target', 'ready', 'kept'],
] as const)('A %s that cannot write down %s ends with one machine: %s', async (side, decision, expected) => {
  const { outcome, here, there } = await runsWithout(side, decision, 1000);
  expect({ outcome, here, there }).toEqual({
    outcome: expected,
    here: expected === 'kept',
    there: expected === 'handed-over',
  });
});

it('A target that cannot write down that a machine arrives ends that machine', async () => {
  const { pair } = await runsWithout('target', 'receiving', 1000);
  expect(pair.host.machine?.isDiscarded).toBe(true);
});

it('A target that cannot write down that it has started does not start, and the source keeps asking', async () => {
  const { outcome, here, there, isReleased, pair } = await runsWithout('target', 'started', 1000);
  expect({ outcome, here, there, isReleased }).toEqual({
    outcome: 'undecided',
    here: false,
    there: false,
    isReleased: false,
  });
  expect(pair.targetLog.written.at(-1)).toBe('ready');
});

it('A target that at last can write down that it starts does start, once', async () => {
  const { outcome, here, there, pair } = await runsWithout('target', 'started', 1);
  expect({ outcome, here, there }).toEqual({ outcome: 'handed-over', here: false, there: true });
  expect(pair.targetEvents.filter(({ event }) => event === 'running')).toHaveLength(1);
});

it.each(['source', 'target'] as const)(
  'A %s that cannot write down that it ends the migration ends it all the same',
  async (side) => {
    const pair = await Pair.create({ keepMs: 30 });
    const machine = mixedMachine(100);
    refuse(side === 'source' ? pair.sourceLog : pair.targetLog, side === 'source' ? 'kept' : 'gave-up', 1000);
    pair.tap = (_from, name) => (name === 'seal' ? 'cut-before' : 'pass');
    const { outcome } = await pair.migrate(machine, { resumeWithinMs: 20 });
    expect([outcome, machine.isRunning, pair.host.machine?.isRunning]).toEqual(['kept', true, false]);
    await expect(pair.receiver.arrived).rejects.toThrow();
    expect(pair.host.machine?.isDiscarded).toBe(true);
  },
);
