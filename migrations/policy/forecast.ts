import { MIB, PAGE_SIZE } from '../../formats/sizes.ts';
import { fullProofFits } from './choose-proof.ts';
import { decideRound, type RoundDecision } from './decide-round.ts';
import type { MigrationLimits } from './limits.ts';

/** Distinct pages that a guest writes within a time, as measured points; both numbers ascend. */
export type DirtyCurve = readonly {
  /** Time since the measurement began. */
  ms: number;
  /** Distinct pages that were written within this time. */
  pages: number;
}[];

/** Input of a forecast. */
export interface ForecastFigures {
  /** Pages that are not zeros. */
  contentPages: number;
  /** All pages of the machine. */
  pageCount: number;
  /** Pages that the guest dirties, by time. */
  curve: DirtyCurve;
  /** Bytes per second that the link is expected to take. */
  rate: number;
  /** Average bytes on the wire for one page. */
  bytesPerPage: number;
  /** Average processor time for one page. */
  msPerPage: number;
  /**
   * Time to find the dirty pages: without write tracking, all memory is searched. Pages written during a search are
   * left for the next one, and finally for the stop.
   */
  lookMs: number;
  /** Downtime for hashing all memory, where the limits leave time for it. */
  hashMs: number;
  /** Downtime for the rest: round trips, device states. */
  otherMs: number;
}

/** Expected course of a migration. */
export interface MigrationForecast {
  /** False: the migration would end at its time limit, or be cancelled. */
  converges: boolean;
  /** One line for people. */
  because: string;
  /** Rounds until the machine is stopped. */
  rounds: number;
  /** Time from the first byte until the target runs the machine. */
  totalMs: number;
  /** Total bytes on the wire. */
  bytes: number;
  /** Time for which the machine would stand still. */
  downtimeMs: number;
}

const MAX_ROUNDS = 200;

/** Plays a migration through with the policy that decides real ones; a pure function. */
export function forecast(figures: ForecastFigures, limits: MigrationLimits): MigrationForecast {
  const { bytesPerPage, msPerPage, lookMs, hashMs, otherMs, pageCount, curve } = figures;
  const isFull = fullProofFits({ hashMs, otherMs, allowedMs: limits.maxDowntimeMs });
  const fixedMs = otherMs + (isFull ? hashMs : 0);
  const link = Math.min(figures.rate, limits.bandwidth);
  // Pages are sent while others are encoded: the slower of both counts.
  const rate = Math.min(link, msPerPage > 0 ? (bytesPerPage * 1000) / msPerPage : link);
  const history: number[] = [];
  let pages = figures.contentPages;
  let [totalMs, bytes, guestShare] = [0, 0, 1];
  for (let round = 0; ; round++) {
    const roundMs = ((pages * bytesPerPage) / rate) * 1000;
    totalMs += roundMs + lookMs;
    bytes += pages * bytesPerPage;
    const dirtyPages = Math.round(Math.min(pageCount, pagesWithin(curve, (roundMs + lookMs) * guestShare)));
    const dirtyBytes = dirtyPages * bytesPerPage;
    const decision = decideRound(
      { round, elapsedMs: totalMs, dirtyPages, dirtyBytes, rate, fixedMs, history, guestShare },
      limits,
    );
    const { verdict, downtimeMs } = decision;
    if (verdict === 'switch-over' || verdict === 'cancel' || round >= MAX_ROUNDS) {
      const converges = verdict === 'switch-over';
      // If the downtime has no room for hashing all memory, all memory is hashed before the machine is paused, and
      // pages that the guest writes during that are sent once more.
      const auditMs = isFull ? 0 : hashMs + (pagesWithin(curve, hashMs) * bytesPerPage * 1000) / rate;
      const because = reasonOf(decision, figures, rate);
      return {
        converges,
        because,
        rounds: round + 1,
        totalMs: totalMs + auditMs + downtimeMs,
        bytes: Math.round(bytes + dirtyBytes),
        downtimeMs,
      };
    }
    history.push(dirtyPages);
    guestShare = decision.guestShare ?? guestShare;
    pages = dirtyPages;
  }
}

function reasonOf({ verdict, because }: RoundDecision, { curve, bytesPerPage }: ForecastFigures, rate: number): string {
  if (verdict === 'switch-over') return because;
  const last = curve[curve.length - 1];
  const dirtied = last && last.ms > 0 ? (last.pages * PAGE_SIZE * 1000) / last.ms : 0;
  const perSecond = (bytes: number) => `${(bytes / MIB).toFixed(bytes < 10 * MIB ? 2 : 1)} MiB/s`;
  return (
    `the guest dirties about ${perSecond(dirtied)}, the link takes ` +
    `${perSecond((rate * PAGE_SIZE) / bytesPerPage)} of pages: ${because}`
  );
}

/** Pages written within `ms`: interpolated between the measured points, extrapolated after the last one. */
export function pagesWithin(curve: DirtyCurve, ms: number): number {
  let before = { ms: 0, pages: 0 };
  let pace = 0;
  for (const point of curve) {
    if (point.ms > before.ms) pace = Math.max(0, point.pages - before.pages) / (point.ms - before.ms);
    if (ms <= point.ms) return before.pages + pace * (ms - before.ms);
    before = point;
  }
  return before.pages + pace * (ms - before.ms);
}
