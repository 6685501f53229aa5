import type { SourceDecision, TargetDecision } from './decision-record.ts';

/** Knowledge about the source: its record, if at hand, and whether its process is alive. */
export interface SourceKnown {
  /** Decision on record there. */
  decision: SourceDecision | 'unknown';
  /** Whether the process of that side still runs. */
  alive: boolean | 'unknown';
  /** Number of the connection of that decision. */
  attempt?: number;
}
/** Knowledge about the target. */
export interface TargetKnown {
  /** Decision on record there. */
  decision: TargetDecision | 'unknown';
  /** Whether the process of that side still runs. */
  alive: boolean | 'unknown';
  /** Number of the connection of that decision; absent if it is not on record. */
  attempt?: number;
}

/** Answer to the question which side may run the machine. */
export interface Resolution {
  /** The only side where the machine runs, or may be started. */
  survivor: 'source' | 'target' | 'undecided';
  /** Decisions to be written down in this order: first of the side that gives up, then of the side that runs. */
  write: { side: 'source' | 'target'; decision: SourceDecision | TargetDecision }[];
  /** One line for people. */
  because: string;
  /** The reason why nothing is to be written yet: a living process may still decide otherwise. */
  notYet?: string;
}

const OLD_COPY =
  "this record of the target is older than the source's decision: give the target's present record, or the record of " +
  'another target, if the source handed the machine over to that one';

/**
 * Decides which side may run the machine, from the records of both; a pure function. The source's record `handed-over`
 * is the decision: before it the machine is the source's, after it the target's, unless the target has recorded for
 * good that it gave up. Records that a living process may still change settle nothing, and neither do older copies of
 * them. The final records `kept`, `done`, `started` and `gave-up` count in copies, too.
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
    case 'kept':
      return {
        survivor: 'source',
        write: writes(['target', target.decision, 'gave-up']),
        because: 'the source has written down that it keeps the machine',
      };
    case 'migrating':
      return notHandedOver(source, target);
    case 'handed-over':
      return isOlder(target, source) ? undecided(OLD_COPY) : handedOver(target);
    case 'unknown':
      return withoutSource(target);
  }
}

function notHandedOver({ alive }: SourceKnown, target: TargetKnown): Resolution {
  const because = 'the source never decided to hand the machine over';
  if (alive === false)
    return {
      survivor: 'source',
      write: writes(['target', target.decision, 'gave-up'], ['source', 'migrating', 'kept']),
      because,
    };
  const notYet =
    alive === true
      ? 'the process of the source may still be migrating: ask again when it has ended'
      : 'only the host of the source can tell whether its process has ended: ask there, or with --peer-ended';
  return { survivor: 'source', write: [], because, notYet };
}

/**
 * Whether the source has decided on a later connection than the record's: with another process of the target, or with
 * the same one in another state.
 */
function isOlder({ attempt: ready = 0 }: TargetKnown, { attempt: decided = 0 }: SourceKnown): boolean {
  return ready !== 0 && ready < decided;
}

function handedOver(target: TargetKnown): Resolution {
  const givesUp = writes(['target', target.decision, 'gave-up'], ['source', 'handed-over', 'kept']);
  if (target.decision === 'gave-up') return { survivor: 'source', write: givesUp, because: 'the target never ran it' };
  if (target.decision === 'unknown')
    return undecided("the source has handed the machine over; only the target's record tells whether it runs there");
  if (target.alive === false)
    return { survivor: 'source', write: givesUp, because: 'the target ended before it started the machine' };
  if (target.alive === 'unknown')
    return undecided('the target is to run the machine; only its host can tell whether its process is alive');
  if (target.decision === 'receiving') return undecided(OLD_COPY);
  return {
    survivor: 'target',
    write: writes(['target', 'ready', 'started'], ['source', 'handed-over', 'done']),
    because: 'the source has handed the machine over',
  };
}

function withoutSource({ decision, alive }: TargetKnown): Resolution {
  if (decision === 'gave-up' || (alive === false && decision !== 'unknown'))
    return {
      survivor: 'source',
      write: writes(['target', decision, 'gave-up']),
      because: 'the target has ended without running the machine',
    };
  return undecided("only the source's record tells whether the target may run the machine");
}

function undecided(because: string): Resolution {
  return { survivor: 'undecided', write: [], because };
}

function writes(...wanted: ['source' | 'target', string, SourceDecision | TargetDecision][]): Resolution['write'] {
  return wanted
    .filter(([, now, then]) => now !== then && now !== 'unknown')
    .map(([side, , decision]) => ({ side, decision }));
}
