import { describe, expect, it } from 'vitest';
import type { SourceDecision, TargetDecision } from './decision-record.ts';
import { resolve } from './resolve.ts';
import {
  nextState,
  SOURCE_STATES,
  type SourceState,
  TARGET_STATES,
  type TargetState,
  type TransitionTable,
} from './states.ts';

const tables: [string, TransitionTable<string, string>][] = [
  ['source', SOURCE_STATES as TransitionTable<string, string>],
  ['target', TARGET_STATES as TransitionTable<string, string>],
];

describe.each(tables)('the states of a %s', (_, table) => {
  const states = Object.keys(table);
  const events = [...new Set(states.flatMap((state) => Object.keys(table[state])))];

  it.each(states.flatMap((state) => events.map((event) => [state, event])))(
    'in %s, %s leads where the table says, or is refused',
    (state, event) => {
      const next = table[state][event];
      if (next === undefined)
        expect(() => nextState(table, state, event)).toThrow(expect.objectContaining({ code: 'unexpected' }));
      else {
        expect(nextState(table, state, event)).toBe(next);
        expect(states).toContain(next);
      }
    },
  );
});

/** Both sides, the link, and what is on disk; memory of a process goes with it. */
interface World {
  source: SourceState | 'dead';
  target: TargetState | 'dead';
  sourceRecord: SourceDecision;
  targetRecord: TargetDecision;
  /** A commit is under way. */
  commitSent: boolean;
}

/** Possible next events: each step of the hand-over, a broken link, a process that dies. */
function successors(world: World): World[] {
  const { source, target, commitSent } = world;
  const next: World[] = [];
  const to = (changes: Partial<World>) => next.push({ ...world, ...changes });
  if (target === 'receiving' && source === 'paused') to({ target: 'ready', targetRecord: 'ready' });
  if (source === 'sending') to({ source: 'paused' });
  if (source === 'paused' && target === 'receiving') to({ source: 'sending' });
  // Decisions are on disk before they are acted on, so that a crash may come in between.
  if (source === 'paused' && target === 'ready') to({ sourceRecord: 'handed-over', source: 'handed-over' });
  if (source === 'handed-over' && !commitSent) to({ commitSent: true });
  if (commitSent && (target === 'ready' || target === 'in-doubt'))
    to({ targetRecord: 'started', target: 'running', commitSent: false });
  if (source === 'handed-over' && target === 'running') to({ source: 'done', sourceRecord: 'done' });
  if (source === 'sending' || source === 'paused') to({ source: 'kept', sourceRecord: 'kept' });
  if (target === 'ready') to({ target: 'in-doubt', commitSent: false });
  // A source that did not decide comes back and sends on.
  if (target === 'in-doubt' && (source === 'sending' || source === 'paused'))
    to({ target: 'receiving', targetRecord: 'receiving', source: 'sending' });
  if (target === 'receiving') to({ target: 'ended', targetRecord: 'gave-up' });
  if (source !== 'dead') to({ source: 'dead', commitSent: false });
  if (target !== 'dead') to({ target: 'dead' });
  return next;
}

function everyWorld(): World[] {
  const start: World = {
    source: 'sending',
    target: 'receiving',
    sourceRecord: 'migrating',
    targetRecord: 'receiving',
    commitSent: false,
  };
  const seen = new Map([[JSON.stringify(start), start]]);
  for (const world of seen.values()) for (const next of successors(world)) seen.set(JSON.stringify(next), next);
  return [...seen.values()];
}

describe('all courses that a hand-over can take', () => {
  const worlds = everyWorld();

  it('are some dozens', () => {
    expect(worlds.length).toBeGreaterThan(30);
  });

  it('never have the machine run on both sides', () => {
    for (const world of worlds) {
      const runsHere = world.source === 'sending' || world.source === 'kept';
      expect(runsHere && world.target === 'running', JSON.stringify(world)).toBe(false);
    }
  });

  it('always leave records that name one side, and never the one that must not run', () => {
    for (const world of worlds) {
      const alive = (side: string) => side !== 'dead';
      const { survivor, write } = resolve(
        { decision: world.sourceRecord, alive: alive(world.source) },
        { decision: world.targetRecord, alive: alive(world.target) },
      );
      expect(survivor, JSON.stringify(world)).not.toBe('undecided');
      if (world.target === 'running') expect(survivor, JSON.stringify(world)).toBe('target');
      if (world.source === 'sending' || world.source === 'kept') expect(survivor, JSON.stringify(world)).toBe('source');
      // The decision that is written down settles it: asked again, the answer is the same.
      const after = { ...world };
      for (const { side, decision } of write) {
        if (side === 'source') after.sourceRecord = decision as SourceDecision;
        else after.targetRecord = decision as TargetDecision;
      }
      expect(
        resolve({ decision: after.sourceRecord, alive: 'unknown' }, { decision: after.targetRecord, alive: 'unknown' })
          .survivor,
      ).toBe(survivor);
    }
  });

  it('are never settled by one record where the other one could say otherwise', () => {
    for (const world of worlds) {
      const both = resolve(
        { decision: world.sourceRecord, alive: false },
        { decision: world.targetRecord, alive: false },
      ).survivor;
      for (const one of [
        resolve({ decision: world.sourceRecord, alive: false }, { decision: 'unknown', alive: 'unknown' }),
        resolve({ decision: 'unknown', alive: 'unknown' }, { decision: world.targetRecord, alive: false }),
      ])
        expect([both, 'undecided'], JSON.stringify(world)).toContain(one.survivor);
    }
  });
});
