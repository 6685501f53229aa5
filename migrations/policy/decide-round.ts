import type { MigrationLimits } from './limits.ts';

/** What is known after a round. */
export interface RoundFigures {
  /** From 0. */
  round: number;
  /** Since the migration began. */
  elapsedMs: number;
  /** Pages that the next round would send, and what they would take on the wire, in bytes. */
  dirtyPages: number;
  /** Bytes on the wire of those pages. */
  dirtyBytes: number;
  /** Bytes per second that the link takes. */
  rate: number;
  /** What standing still takes besides pages: round trips, proof, the rest. */
  fixedMs: number;
  /** `dirtyPages` after each round before this one. */
  history: readonly number[];
  /** The share of its time that the guest has now, in (0, 1]. */
  guestShare: number;
}

/** What a policy can decide after a round. */
export const VERDICTS = ['another-round', 'switch-over', 'throttle', 'cancel'] as const;
/** One of them. */
export type RoundVerdict = (typeof VERDICTS)[number];

/** What to do after a round. */
export interface RoundDecision {
  /** What to do. */
  verdict: RoundVerdict;
  /** How long the machine would stand still if it were stopped now. */
  downtimeMs: number;
  /** One line for people. */
  because: string;
  /** With `throttle`: the guest's share from now on. */
  guestShare?: number;
}

/** So many rounds without a new minimum, and things will not get better by waiting. */
const STALLED_AFTER = 6;
/** A new minimum is one that is lower by this share at least. */
const IMPROVEMENT = 0.05;
/** Pages take no more than this share of what standing still takes besides them: fewer would not be noticed. */
const NEGLIGIBLE = 0.1;
/** Of its time a guest keeps at least so much. */
export const MIN_GUEST_SHARE = 1 / 64;

/**
 * Why a round is to be broken off; undefined while it may go on. Whoever goes at the time limit ends the round first:
 * that makes the stop shorter.
 */
export function whyBreakOff(elapsedMs: number, limits: MigrationLimits): string | undefined {
  return limits.onTimeLimit === 'cancel' && elapsedMs >= limits.timeLimitMs ? timeIsOver(limits) : undefined;
}

/** Whether to go on sending what gets dirty, or to stop the machine and send the rest; a pure function. */
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
    if (dirtyPages === 0) return decide('switch-over', 'nothing is dirty: another round brings nothing');
    // After the first round figures are those of a start. Where pages alone are in the way of the limit, fewer count.
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
      return decide('switch-over', `${STALLED_AFTER} rounds have brought nothing, and this is a minimum`);
    return decide('another-round', isLow ? 'stalled, and too much is dirty' : 'stalled: waits for a minimum');
  }
  return decide(
    'another-round',
    `${dirtyPages} ${dirtyPages === 1 ? 'page is' : 'pages are'} dirty, ${Math.round(downtimeMs)} ms`,
  );
}

/** Says so. */
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
