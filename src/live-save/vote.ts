/** A unit's opinion after a pass: all units need another one, no need for one, or no need and not to be asked again. */
export type Vote = 'another-pass' | 'done' | 'done-for-good';

/** Votes that the averages look back on. Source: PGMInternal.h, LiveSave.acDirtyPagesHistory. */
const HISTORY_SIZE = 64;
/** Votes in the short average. */
const SHORT_SIZE = 4;
/** Value of slots without a vote: the short average stays huge until the fourth vote. */
const UNUSED_SLOT = 0x7fffffff;
/** `LiveSave` counts pages saved, and the time, anew in this pass, when zero pages no longer distort the speed. */
export const SPEED_PASS = 7;
/** Limit for callers that name none (SSM.cpp, Console). */
export const DEFAULT_MAX_DOWNTIME_MS = 250;
/** Up to this pass the vote looks at page counts, afterwards at the time they take. */
const LAST_PASS_BY_COUNT = 10;
/** Shorter downtimes are not aimed at. */
const LEAST_DOWNTIME_MS = 32;

/** Dirty pages at each of the last 64 votes; a value, never changed in place. */
export interface DirtyHistory {
  /** Dirty pages after the last votes, as a ring. */
  readonly slots: Uint32Array;
  /** Slot of the next vote. */
  readonly position: number;
}

/** The history before the first vote. */
export const NO_HISTORY: DirtyHistory = { slots: new Uint32Array(HISTORY_SIZE).fill(UNUSED_SLOT), position: 0 };

/** Input of the memory unit's vote. */
export interface VoteFigures {
  /** Number of the pass, from 0. */
  readonly pass: number;
  /** `history` of the last result. */
  readonly history: DirtyHistory;
  /** Pages that are dirty now: ROM, MMIO2, RAM, and monitored pages that were written since. */
  readonly dirtyPages: number;
  /** Pages saved since pass 7 began; before it, since the start. */
  readonly savedPages: number;
  /** Seconds in which `savedPages` were saved. */
  readonly elapsedSeconds: number;
  /** Longest time for which the machine may stand still. */
  readonly maxDowntimeMs: number;
  /** All pages of the machine, with pages that are never sent, and zero pages. */
  readonly allPages: number;
  /** Pages in RAM ranges that are not RAM, and so never sent. */
  readonly ignoredPages: number;
  /** Pages that are zero. */
  readonly zeroPages: number;
}

/** Result of a vote. */
export interface VoteResult {
  /** Whether another live pass is worth its time. */
  readonly vote: 'another-pass' | 'done';
  /** The history for the next vote. */
  readonly history: DirtyHistory;
  /** Average of dirty pages over the last 4 votes. */
  readonly dirtyShort: number;
  /** Average of dirty pages over the last 64 votes. */
  readonly dirtyLong: number;
  /** Pages saved per second. */
  readonly pagesPerSecond: number;
  /** Share of the live part that is done, in percent, if another pass is wanted and the share can be computed. */
  readonly percent: number | undefined;
}

/**
 * The vote of VirtualBox's memory unit after a live pass, in its integer arithmetic. Two habits are part of it: the
 * long average divides by 64 also when fewer votes were taken, and the percentage of dirty pages is a ratio, in
 * practice 0, so that progress is 2 % a pass.
 *
 * Source: PGMSavedState.cpp, pgmR3LiveVote.
 */
export function voteOnPass(figures: VoteFigures): VoteResult {
  const { pass, dirtyPages, savedPages, elapsedSeconds } = figures;
  const history = withVote(figures.history, dirtyPages);
  const dirtyShort = shortAverage(history, figures.history.position);
  const dirtyLong = longAverage(history, pass);
  const pagesPerSecond = savedPages > 0 && elapsedSeconds > 0 ? Math.floor(savedPages / elapsedSeconds) : 0;
  const averages = { history, dirtyShort, dirtyLong, pagesPerSecond };
  if (isFalling(dirtyPages, dirtyShort, dirtyLong) && isShortEnough(figures, dirtyShort, dirtyLong, pagesPerSecond)) {
    return { ...averages, vote: 'done', percent: undefined };
  }
  return { ...averages, vote: 'another-pass', percent: percentDone(figures, dirtyLong) };
}

function withVote({ slots, position }: DirtyHistory, dirtyPages: number): DirtyHistory {
  const next = slots.slice();
  next[position] = dirtyPages;
  return { slots: next, position: (position + 1) % HISTORY_SIZE };
}

function shortAverage({ slots }: DirtyHistory, last: number): number {
  let sum = 0;
  for (let back = 0; back < SHORT_SIZE; back++) sum += slots[(last - back + HISTORY_SIZE) % HISTORY_SIZE];
  return Math.floor(sum / SHORT_SIZE);
}

function longAverage({ slots }: DirtyHistory, pass: number): number {
  let sum = 0;
  for (let i = 0; i <= Math.min(pass, HISTORY_SIZE - 1); i++) sum += slots[i];
  return Math.floor(sum / HISTORY_SIZE);
}

/** Whether the number of dirty pages goes down, and is no peak now. */
function isFalling(now: number, short: number, long: number): boolean {
  return short <= long && (now <= short || now - short < Math.min(Math.floor(short / 8), 16));
}

function isShortEnough(
  { pass, maxDowntimeMs }: VoteFigures,
  short: number,
  long: number,
  pagesPerSecond: number,
): boolean {
  if (pass <= LAST_PASS_BY_COUNT) return (short <= 128 && long <= 1024) || long <= 256;
  // Without a speed VirtualBox converts infinity to an integer, which C leaves undefined; here the vote is for another
  // pass.
  if (pagesPerSecond === 0) return false;
  const msShort = Math.floor((short / pagesPerSecond) * 1000);
  const msLong = Math.floor((long / pagesPerSecond) * 1000);
  const limit = Math.max(LEAST_DOWNTIME_MS, maxDowntimeMs);
  return (msLong <= limit && msShort < limit) || msShort < Math.floor(limit / 2);
}

function percentDone({ pass, allPages, ignoredPages, zeroPages }: VoteFigures, long: number): number | undefined {
  const pages = allPages - ignoredPages - zeroPages;
  const dirty = Math.floor(long / pages);
  return pages > 0 && dirty <= 100 ? Math.min(100 - dirty, 2 * pass) : undefined;
}
