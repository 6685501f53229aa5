import type { SavkitError } from '../../formats/errors.ts';
import { PAGE_SIZE } from '../../formats/sizes.ts';
import { clock, turn } from '../../formats/world/waiting.ts';
import { PageSet } from '../machine/page-set.ts';
import { decideRound, type RoundDecision, whyBreakOff } from '../policy/decide-round.ts';
import { MigrationProgress } from '../report/migration-progress.ts';
import type { RoundReport } from '../report/report.ts';
import { AfterRound, PAGE_CODECS } from '../wire/frames.ts';
import { MigrationError } from '../wire/migration-error.ts';
import type { Departure } from './departure.ts';
import { PageRounds, type RoundCounts } from './page-rounds.ts';
import type { SourceLink } from './source-link.ts';

/** Throughput assumed before the first measurement, in bytes per second. */
const GUESSED_RATE = 100e6;

/** Purpose of a round: the machine runs on, is stopped after it, or is stopped already. */
type Purpose = 'another-round' | 'switch-over' | 'seal' | 'resend';

/** The rounds of one link: sends the pages of each, measures it, and asks the policy for the next step. */
export class RoundCourse {
  readonly #departure: Departure;
  readonly #rounds: PageRounds;
  readonly #progress: MigrationProgress;
  readonly #history: number[] = [];
  #round = 0;
  #guestShare = 1;
  #bytesPerPage = PAGE_SIZE;

  constructor(departure: Departure, link: SourceLink) {
    this.#departure = departure;
    const { facts, limits, transfer } = departure;
    const { compression = 'auto', signal } = facts.options;
    this.#rounds = new PageRounds(link, facts.machine, transfer, {
      limits: () => limits.now,
      zstd: facts.zstd,
      compression,
      signal,
    });
    this.#progress = new MigrationProgress(facts.space.pageCount);
  }

  /** Rounds so far. */
  get count(): number {
    return this.#round;
  }

  /** Throttles the guest to a share of its time. */
  throttle(share: number): void {
    this.#guestShare = share;
    this.#departure.facts.machine.throttle(share);
  }

  /**
   * Sends the pending pages, collects those that got dirty meanwhile, and decides on the next step.
   * @param after what follows the round (`AfterRound`)
   * @param meanwhile runs after the last page has left
   */
  async send(after: number, purpose: Purpose, meanwhile?: () => Promise<void>): Promise<RoundDecision> {
    const { facts, transfer, account, costs } = this.#departure;
    const { pending, meter } = transfer;
    const isPaused = purpose === 'seal' || purpose === 'resend';
    // A machine that finds dirty pages by comparing all memory is not searched again right after the last search.
    if (!isPaused && !facts.machine.comparesMemory) await facts.machine.takeDirty(pending);
    const pages = new PageSet(pending.pageCount);
    pages.union(pending);
    pending.clear();
    const start = clock();
    this.#progress.beginRound(this.#round, pages.size);
    const onFrame = (done: number, bytes: number) => {
      if (purpose === 'another-round') this.#checkTime();
      transfer.reached = Math.max(transfer.reached, done);
      this.#tellProgress(done, bytes);
    };
    const counts = await this.#rounds.send(this.#round, pages, after, onFrame, meanwhile);
    const ms = clock() - start;
    if (after === AfterRound.ANOTHER) costs.noteSettled(counts.settleMs);
    // Pages that get dirty in the last round are collected after the stop.
    if (!isPaused && purpose !== 'switch-over') {
      await facts.machine.takeDirty(pending);
      await costs.measure();
    }
    const dirtied = pending.size;
    const decision = this.#decide(counts, dirtied, ms);
    const round = this.#reportOf(counts, decision, { ms, dirtied, rate: meter.rate(GUESSED_RATE), paused: isPaused });
    if (isPaused) Object.assign(round, { verdict: purpose, because: '' });
    account.roundEnded(round);
    this.#history.push(dirtied);
    this.#round++;
    if (!isPaused) await turn();
    return decision;
  }

  #decide(counts: RoundCounts, dirtyPages: number, ms: number): RoundDecision {
    const { facts, limits, transfer, costs } = this.#departure;
    const { meter } = transfer;
    // Pages that get dirty again are sent as deltas, so the last round with pages tells the bytes per page.
    this.#bytesPerPage = counts.pages > 0 ? counts.bytes / counts.pages : this.#bytesPerPage;
    const rate =
      ms > 0 && counts.bytes > 1e6
        ? Math.max(meter.rate(GUESSED_RATE), (counts.bytes * 1000) / ms)
        : meter.rate(GUESSED_RATE);
    const dirtyBytes = dirtyPages * this.#bytesPerPage;
    const figures = {
      round: this.#round,
      elapsedMs: clock() - facts.start,
      dirtyPages,
      dirtyBytes,
      rate,
      fixedMs: costs.fixedMs,
    };
    return decideRound({ ...figures, history: this.#history, guestShare: this.#guestShare }, limits.now);
  }

  /** @throws SavkitError where the time limit breaks the round off */
  #checkTime(): void {
    const { facts, limits } = this.#departure;
    const why = whyBreakOff(clock() - facts.start, limits.now);
    if (why !== undefined) throw timeLimit(why);
  }

  #tellProgress(done: number, bytes: number): void {
    const { facts, transfer } = this.#departure;
    if (!facts.options.onEvent) return;
    const progress = this.#progress.update(done, bytes, transfer.meter.rate(GUESSED_RATE), this.#bytesPerPage);
    if (progress) this.#departure.account.tell({ event: 'progress', progress });
  }

  #reportOf(
    counts: RoundCounts,
    decision: RoundDecision,
    round: { ms: number; dirtied: number; rate: number; paused: boolean },
  ): RoundReport {
    const { pages, bytes, codecs } = counts;
    const dirtyRate = round.ms > 0 ? (round.dirtied * PAGE_SIZE * 1000) / round.ms : 0;
    this.#progress.endRound(dirtyRate, decision.downtimeMs);
    return {
      round: this.#round,
      pages,
      skipped: codecs.skipped,
      bytes,
      codecs: Object.fromEntries(PAGE_CODECS.map(({ name }, codec) => [name, codecs.pages[codec]])),
      dirtyRate,
      downtimeMs: decision.downtimeMs,
      guestShare: this.#guestShare,
      verdict: decision.verdict,
      because: decision.because,
      ...round,
    };
  }
}

/** The error at the time limit of a migration. */
export function timeLimit(because: string): SavkitError {
  return new MigrationError('time-limit', `Cannot go on: ${because}`);
}
