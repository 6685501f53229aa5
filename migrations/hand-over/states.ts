import { MigrationError } from '../wire/migration-error.ts';

// The hand-over of a machine as two tables of states. Events that are not in a table are refused.
//
//   source                                        target
//   sending ── pause ──► paused                   waiting ─hello─► greeted ─describe─► receiving ◄─┐
//      ▲                   │ seal                                     link lost │         │ seal     │ hello,
//      ├── resume ─────────┤                                                    ▼         │ (proved) │ describe
//      │                   ▼ ready                                         interrupted ───┼──────────┘
//      ├── cancel ──── (decision)                                                         ▼
//      │                   │ written down          ended ◄─ cancel, give up ─────────── ready
//   kept                   ▼                         ▲                        link lost │  │ commit
//      ▲              handed-over ─ running ─► done  └─ give up ─── in-doubt ◄──────────┘  ▼
//      └─ target gave up ──┘                                            └─ commit, run ─► running

/** For each state, its possible events with the next states. */
export type TransitionTable<S extends string, E extends string> = Readonly<Record<S, Readonly<Partial<Record<E, S>>>>>;

export type SourceState = 'sending' | 'paused' | 'handed-over' | 'done' | 'kept';
export type SourceEvent = 'pause' | 'resume' | 'commit' | 'running' | 'gave-up' | 'cancel';

export const SOURCE_STATES: TransitionTable<SourceState, SourceEvent> = {
  sending: { pause: 'paused', cancel: 'kept' },
  paused: { resume: 'sending', commit: 'handed-over', cancel: 'kept' },
  // After the decision, the machine comes back only if the target says that it has not run it, and never will.
  'handed-over': { running: 'done', 'gave-up': 'kept' },
  done: {},
  kept: {},
};

export type TargetState =
  | 'waiting'
  | 'greeted'
  | 'receiving'
  | 'interrupted'
  | 'ready'
  | 'in-doubt'
  | 'running'
  | 'ended';
export type TargetEvent =
  | 'hello'
  | 'describe'
  | 'pages'
  | 'barrier'
  | 'rest'
  | 'seal'
  | 'proved'
  | 'commit'
  | 'inquire'
  | 'cancel'
  | 'link-lost'
  | 'run'
  | 'give-up';

export const TARGET_STATES: TransitionTable<TargetState, TargetEvent> = {
  waiting: { hello: 'greeted', 'link-lost': 'waiting', 'give-up': 'ended' },
  greeted: { describe: 'receiving', inquire: 'greeted', 'link-lost': 'waiting', cancel: 'waiting', 'give-up': 'ended' },
  receiving: {
    pages: 'receiving',
    barrier: 'receiving',
    rest: 'receiving',
    seal: 'receiving',
    proved: 'ready',
    cancel: 'ended',
    'link-lost': 'interrupted',
    'give-up': 'ended',
  },
  interrupted: {
    hello: 'interrupted',
    describe: 'receiving',
    'link-lost': 'interrupted',
    cancel: 'ended',
    'give-up': 'ended',
  },
  // The target has promised to run the machine when told: only the source's decision, also out of its record, ends the
  // promise.
  ready: { commit: 'running', cancel: 'ended', 'link-lost': 'in-doubt' },
  'in-doubt': {
    hello: 'in-doubt',
    describe: 'receiving',
    inquire: 'in-doubt',
    commit: 'running',
    cancel: 'ended',
    'link-lost': 'in-doubt',
    run: 'running',
    'give-up': 'ended',
  },
  running: { hello: 'running', inquire: 'running', 'link-lost': 'running', commit: 'running' },
  ended: { hello: 'ended', inquire: 'ended', 'link-lost': 'ended' },
};

/** The next state after an event. @throws MigrationError `unexpected` when it may not happen in this state */
export function nextState<S extends string, E extends string>(table: TransitionTable<S, E>, state: S, event: E): S {
  const next = table[state][event];
  if (next !== undefined) return next;
  const expected = Object.keys(table[state]).join(', ') || 'nothing more';
  throw new MigrationError('unexpected', `Cannot take ${event}: the migration is ${state}, expected ${expected}`);
}
