import type { SourceDecision, TargetDecision } from './decision-record.ts';

/** What is known of a side: its record, if it is at hand, and whether its process is alive. */
export interface SourceKnown {
  /** What is on record there. */
  decision: SourceDecision | 'unknown';
  /** Whether the process of that side still runs. */
  alive: boolean | 'unknown';
}
/** What is known of the target's side. */
export interface TargetKnown {
  /** What is on record there. */
  decision: TargetDecision | 'unknown';
  /** Whether the process of that side still runs. */
  alive: boolean | 'unknown';
}

/** Who may run the machine. */
export interface Resolution {
  /** The one side where the machine runs, or may be told to. */
  survivor: 'source' | 'target' | 'undecided';
  /** Decisions to be written down, in this order: first the side that gives up, then the one that runs. */
  write: { side: 'source' | 'target'; decision: SourceDecision | TargetDecision }[];
  /** One line for people. */
  because: string;
}

/**
 * Who may run the machine, from what both sides have written down; a pure function. The source's written `handed-over`
 * is the decision; before it the machine is the source's, behind it the target's, unless the target has written down,
 * for good, that it gave up.
 */
export function resolve(source: SourceKnown, target: TargetKnown): Resolution {
  if (target.decision === 'started') {
    return {
      survivor: 'target',
      write: writes(['source', source.decision, 'done']),
      because: 'the target has taken the machine over',
    };
  }
  switch (source.decision) {
    case 'done':
      return { survivor: 'target', write: [], because: 'the target has told the source that it has the machine' };
    case 'migrating':
    case 'kept':
      return {
        survivor: 'source',
        write: writes(['target', target.decision, 'gave-up'], ['source', source.decision, 'kept']),
        because: 'the source never decided to hand the machine over',
      };
    case 'handed-over':
      return handedOver(target);
    case 'unknown':
      return withoutSource(target);
  }
}

function handedOver(target: TargetKnown): Resolution {
  if (target.decision === 'gave-up' || target.decision === 'receiving')
    return {
      survivor: 'source',
      write: writes(['target', target.decision, 'gave-up'], ['source', 'handed-over', 'kept']),
      because: 'the target never ran it',
    };
  if (target.decision === 'unknown')
    return {
      survivor: 'undecided',
      write: [],
      because: "the source has handed the machine over; only the target's record tells whether it runs there",
    };
  if (target.alive === false)
    return {
      survivor: 'source',
      write: writes(['target', 'ready', 'gave-up'], ['source', 'handed-over', 'kept']),
      because: 'the target was ready, but ended before it started the machine',
    };
  if (target.alive === 'unknown')
    return {
      survivor: 'undecided',
      write: [],
      because: 'the target is to run the machine; whether its process is alive can only be told there',
    };
  return {
    survivor: 'target',
    write: writes(['target', 'ready', 'started'], ['source', 'handed-over', 'done']),
    because: 'the source has handed the machine over',
  };
}

function withoutSource({ decision }: TargetKnown): Resolution {
  if (decision === 'gave-up' || decision === 'receiving')
    return {
      survivor: 'source',
      write: writes(['target', decision, 'gave-up']),
      because: 'the target does not have the whole machine',
    };
  return {
    survivor: 'undecided',
    write: [],
    because: "the target is ready; only the source's record tells whether it may run the machine",
  };
}

function writes(...wanted: ['source' | 'target', string, SourceDecision | TargetDecision][]): Resolution['write'] {
  return wanted
    .filter(([, now, then]) => now !== then && now !== 'unknown')
    .map(([side, , decision]) => ({ side, decision }));
}
