import { PAGE_SIZE } from '../../formats/units.ts';
import { decideRound, type Verdict } from './decide-round.ts';
import type { MigrationLimits } from './limits.ts';

/** How many different pages a guest writes within a time: measured points, ascending in both. */
export type DirtyCurve = readonly { ms: number; pages: number }[];

export interface ForecastFigures {
  /** Pages that are not zeros, and all. */
  contentPages: number;
  pageCount: number;
  curve: DirtyCurve;
  /** Bytes per second that the link is expected to take. */
  rate: number;
  /** Bytes on the wire for one page, on average. */
  bytesPerPage: number;
  fixedMs: number;
}

export interface Forecast {
  converges: boolean;
  because: string;
  rounds: number;
  totalMs: number;
  bytes: number;
  downtimeMs: number;
}

const MAX_ROUNDS = 200;

/** Plays a migration through with the policy that decides real ones; a pure function. */
export function forecast(figures: ForecastFigures, limits: MigrationLimits): Forecast {
  const rate = Math.min(figures.rate, limits.bandwidth);
  const history: number[] = [];
  let pages = figures.contentPages;
  let [totalMs, bytes, guestShare] = [0, 0, 1];
  for (let round = 0; ; round++) {
    const roundBytes = pages * figures.bytesPerPage;
    const roundMs = (roundBytes / rate) * 1000;
    totalMs += roundMs;
    bytes += roundBytes;
    const dirtyPages = Math.min(figures.pageCount, pagesWithin(figures.curve, roundMs * guestShare));
    const dirtyBytes = dirtyPages * figures.bytesPerPage;
    const { fixedMs } = figures;
    const decision = decideRound({ round, elapsedMs: totalMs, dirtyPages, dirtyBytes, rate, fixedMs, history, guestShare }, limits);
    const { verdict, downtimeMs, because } = decision;
    if (verdict === 'switch-over' || verdict === 'cancel' || round >= MAX_ROUNDS) {
      const converges = verdict === 'switch-over';
      return {
        converges,
        because: reasonOf(verdict, because, figures, rate),
        rounds: round + 1,
        totalMs: totalMs + downtimeMs,
        bytes: bytes + dirtyBytes,
        downtimeMs,
      };
    }
    history.push(dirtyPages);
    guestShare = decision.guestShare ?? guestShare;
    pages = dirtyPages;
  }
}

function reasonOf(verdict: Verdict, because: string, { curve, bytesPerPage }: ForecastFigures, rate: number): string {
  if (verdict === 'switch-over') return because;
  const last = curve[curve.length - 1];
  const dirtied = last && last.ms > 0 ? (last.pages * PAGE_SIZE * 1000) / last.ms : 0;
  const mb = (bytes: number) => `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB/s`;
  return `the guest dirties about ${mb(dirtied)}, the link takes ${mb((rate * PAGE_SIZE) / bytesPerPage)} of pages: ${because}`;
}

/** Pages written within `ms`: along the measured points, and beyond the last one at the pace of its end. */
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
