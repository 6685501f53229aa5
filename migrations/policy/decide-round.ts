import type { MigrationLimits } from './limits.ts';

/** Figures after a round. */
export interface RoundFigures {
  /** Number of the round, from 0. */
  round: number;
  /** Time since the migration began. */
  elapsedMs: number;
  /** Pages that the next round would send. */
  dirtyPages: number;
  /** Bytes of these pages on the wire. */
  dirtyBytes: number;
  /** Throughput of the link, in bytes per second. */
  rate: number;
  /** Part of the downtime that does not depend on pages: round trips, proof, devices. */
  fixedMs: number;
  /** `dirtyPages` after each round before this one. */
  history: readonly number[];
  /** Share of time that the guest may execute, in (0, 1]. */
  guestShare: number;
}

/** Possible decisions after a round. */
export const VERDICTS = ['another-round', 'switch-over', 'throttle', 'cancel'] as const;
/** Decision after a round, in a word. */
export type RoundVerdict = (typeof VERDICTS)[number];

/** Decision after a round. */
export interface RoundDecision {
  /** The decision. */
  verdict: RoundVerdict;
  /** Downtime if the machine were stopped now. */
  downtimeMs: number;
  /** One line for people. */
  because: string;
  /** With `throttle`: the guest's new share. */
  guestShare?: number;
}

/** Rounds without a new minimum of dirty pages, after which waiting is in vain. */
const STALLED_AFTER = 6;
/** A new minimum has to be lower by this share. */
const IMPROVEMENT = 0.05;
/** If pages take less than this share of the fixed downtime, fewer pages would not be noticed. */
const NEGLIGIBLE = 0.1;
/** Smallest share of time of a throttled guest. */
export const MIN_GUEST_SHARE = 1 / 64;

/**
 * Reason to break a round off; undefined while it may go on. If the time limit leads to a switch-over, the round is
 * completed first, which shortens the downtime.
 */
export function whyBreakOff(elapsedMs: number, limits: MigrationLimits): string | undefined {
  return limits.onTimeLimit === 'cancel' && elapsedMs >= limits.timeLimitMs ? timeIsOver(limits) : undefined;
}

/** Decides whether to send another round of dirty pages, or to stop the machine and send the rest; a pure function. */
export function decideRound(figures: RoundFigures, limits: MigrationLimits): RoundDecision {
  const { elapsedMs, dirtyPages, dirtyBytes, fixedMs, history } = figures;
  const rate = Math.min(figures.rate, limits.bandwidth);
  const downtimeMs = dirtyBytes === 0 ? fixedMs : (dirtyBytes / rate) * 1000 + fixedMs;
  const decide = (verdict: RoundVerdict, because: string, guestShare?: number): RoundDecision => ({
    verdict,
    downtimeMs,
    because,
    guestShare,
  });
  if (downtimeMs <= limits.maxDowntimeMs) return decide('switch-over', `the rest fits into ${limits.maxDowntimeMs} ms`);
  if (elapsedMs >= limits.timeLimitMs) return atTimeLimit(figures, limits, decide);
  if (downtimeMs <= limits.stalledDowntimeMs) {
    if (dirtyPages === 0) return decide('switch-over', 'no pages are dirty: another round would be in vain');
    // The first round's figures say little. If the fixed part alone exceeds the limit, fewer pages do not help.
    const isInVain = history.length > 0 && fixedMs > limits.maxDowntimeMs;
    if (isInVain && downtimeMs - fixedMs <= fixedMs * NEGLIGIBLE)
      return decide(
        'switch-over',
        `pages take ${Math.round(downtimeMs - fixedMs)} ms of it: another round saves little`,
      );
  }
  if (isStalled(history, dirtyPages)) {
    const isLow = dirtyPages <= Math.min(...history.slice(-STALLED_AFTER)) * (1 + IMPROVEMENT);
    if (isLow && downtimeMs <= limits.stalledDowntimeMs)
      return decide('switch-over', `${STALLED_AFTER} rounds have brought no progress, and this is a minimum`);
    return decide('another-round', isLow ? 'stalled, and too much is dirty' : 'stalled: waits for a minimum');
  }
  return decide(
    'another-round',
    `${dirtyPages} ${dirtyPages === 1 ? 'page is' : 'pages are'} dirty, ${Math.round(downtimeMs)} ms`,
  );
}

/** The reason for decisions at the time limit. */
export function timeIsOver({ timeLimitMs }: MigrationLimits): string {
  return `the time limit of ${timeLimitMs / 1000} s is over`;
}

function atTimeLimit(
  { guestShare }: RoundFigures,
  limits: MigrationLimits,
  decide: (verdict: RoundVerdict, because: string, guestShare?: number) => RoundDecision,
): RoundDecision {
  const over = timeIsOver(limits);
  if (limits.onTimeLimit === 'cancel') return decide('cancel', over);
  if (limits.onTimeLimit === 'force') return decide('switch-over', over);
  if (guestShare <= MIN_GUEST_SHARE) return decide('switch-over', `${over}, and the guest can't be slowed any more`);
  return decide('throttle', over, Math.max(MIN_GUEST_SHARE, guestShare / 2));
}

/** Whether none of the last rounds was clearly better than all before them. */
export function isStalled(history: readonly number[], dirtyPages: number): boolean {
  const all = [...history, dirtyPages];
  if (all.length <= STALLED_AFTER) return false;
  const before = Math.min(...all.slice(0, -STALLED_AFTER));
  return Math.min(...all.slice(-STALLED_AFTER)) > before * (1 - IMPROVEMENT);
}
