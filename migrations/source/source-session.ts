import { InterruptedError, type SavkitError } from '../../formats/errors.ts';
import { xxh64 } from '../../formats/kernels/xxh64.ts';
import { PAGE_SIZE } from '../../formats/sizes.ts';
import { clock, turn } from '../../formats/world/waiting.ts';
import { PageSet } from '../machine/page-set.ts';
import { decideRound, type RoundDecision, whyBreakOff } from '../policy/decide-round.ts';
import { Progress } from '../report/progress.ts';
import type { ProofReport, RoundReport } from '../report/report.ts';
import { AfterRound, PAGE_CODECS } from '../wire/frames.ts';
import { MAX_REST_PIECE, MAX_ROUNDS } from '../wire/limits.ts';
import { MigrationError } from '../wire/migration-error.ts';
import { hashBytes } from '../wire/payload.ts';
import type { Departure } from './departure.ts';
import { MemoryProof } from './memory-proof.ts';
import { PageRounds, type RoundCounts } from './page-rounds.ts';
import type { SourceLink } from './source-link.ts';
import { StopCosts } from './stop-costs.ts';

/** How often differences at the end are sent again before the migration is given up. */
const MAX_SEALS = 4;
/** Assumed before anything was measured, in bytes per second. */
const GUESSED_RATE = 100e6;
/** Rounds, proof and hand-over on one link. */
export class SourceSession {
  readonly #departure: Departure;
  readonly #link: SourceLink;
  readonly #rounds: PageRounds;
  readonly #progress: Progress;
  readonly #costs: StopCosts;
  readonly #history: number[] = [];
  #round = 0;
  #guestShare = 1;
  #proofMode: ProofReport['mode'] = 'full';

  constructor(departure: Departure, link: SourceLink) {
    this.#departure = departure;
    this.#link = link;
    const { machine, sent, meter, zstd } = departure;
    const { compression = 'auto', signal } = departure.options;
    this.#rounds = new PageRounds(link, machine, sent, {
      meter,
      limits: () => departure.limits,
      zstd,
      compression,
      signal,
    });
    this.#progress = new Progress(departure.space.pageCount);
    this.#costs = new StopCosts(departure);
  }

  /** Resolves when the target runs the machine. */
  async run(): Promise<void> {
    const proof = await this.#sendWhileRunning();
    await this.#departure.pause();
    await this.#sendAtRest(proof);
    await this.#resendUntilEqual(proof);
    await this.#handOver();
  }

  /**
   * Rounds until the policy says stop; then, where memory is too large to be hashed at rest, an audit and a last round.
   */
  async #sendWhileRunning(): Promise<MemoryProof> {
    const { machine, space, sent } = this.#departure;
    for (let isOver = false; !isOver; ) {
      const decision = await this.#sendRound(AfterRound.ANOTHER, 'another-round');
      if (decision.verdict === 'cancel') throw timeLimit(decision.because);
      if (decision.verdict === 'throttle') this.#throttle(decision.guestShare ?? 1);
      isOver = decision.verdict === 'switch-over';
      if (isOver) this.#proofMode = this.#costs.chooseProof(decision.downtimeMs);
      else if (this.#round >= MAX_ROUNDS)
        throw new MigrationError('too-many-rounds', `Cannot go on: ${MAX_ROUNDS} rounds have brought no end`);
    }
    const proof = new MemoryProof(machine, space, sent, this.#proofMode);
    this.#departure.proof = proof;
    this.#departure.report.proof = proof.report;
    if (this.#proofMode === 'audited') await this.#audit(proof);
    return proof;
  }

  async #audit(proof: MemoryProof): Promise<void> {
    const { pending } = this.#departure;
    let lost: PageSet | undefined;
    await this.#sendRound(AfterRound.AUDIT, 'another-round', async () => {
      lost = await proof.audit(pending);
    });
    if (lost) this.#addLost(lost);
    await this.#sendRound(AfterRound.ANOTHER, 'switch-over');
  }

  /**
   * The machine stands still: sends what is dirty, and what should have been but was not noted; then all else, without
   * waiting in between.
   */
  async #sendAtRest(proof: MemoryProof): Promise<void> {
    const { machine, pending, downtime } = this.#departure;
    await machine.takeDirty(pending);
    downtime.note('stop');
    const isFull = this.#proofMode === 'full';
    let lost: PageSet | undefined;
    await this.#sendRound(isFull ? AfterRound.PROOF : AfterRound.SEAL, 'seal', async () => {
      downtime.note('pages');
      if (isFull) lost = await proof.compareAll();
      downtime.note('hash');
      if (lost === undefined || lost.size === 0) await this.#sendRest(proof);
    });
    if (!lost || !this.#addLost(lost)) return;
    await this.#resend();
    await this.#sendRest(proof);
  }

  async #sendRest(proof: MemoryProof): Promise<void> {
    const { channel } = this.#link.control;
    const rest = await this.#departure.machine.saveRest();
    this.#restHash = xxh64(rest);
    for (let at = 0; at < rest.length; at += MAX_REST_PIECE)
      await channel.send('rest', {}, rest.subarray(at, at + MAX_REST_PIECE));
    await channel.send('rest', {});
    await this.#sendSeal(proof);
    this.#departure.downtime.note('rest');
  }
  #restHash = 0n;

  async #sendSeal(proof: MemoryProof): Promise<void> {
    const { root, nodes } = proof.seal();
    const head = {
      root,
      rest: this.#restHash,
      paused: this.#departure.machine.isPaused ? 1 : 0,
      count: nodes.length / 2,
    };
    await this.#link.control.channel.send('seal', head, hashBytes(nodes, 0, head.count));
  }

  async #resend(): Promise<void> {
    await this.#sendRound(AfterRound.PROOF, 'resend');
    this.#departure.downtime.note('pages');
  }

  /**
   * The target compares; what differs is sent again, until nothing does. @throws SavkitError when that does not help
   */
  async #resendUntilEqual(proof: MemoryProof): Promise<void> {
    for (let seals = 1; ; seals++) {
      const differing = await this.#takeAnswer(proof);
      this.#departure.downtime.note('ready');
      if (!differing) break;
      this.#addLost(differing);
      if (seals === MAX_SEALS || differing.size === 0)
        throw new MigrationError(
          'memory-differs',
          `Cannot hand over: after ${seals} attempts the target's memory still differs, first at ${proof.report.lost[0]}`,
        );
      await this.#resend();
      await this.#sendSeal(proof);
    }
    this.#departure.tell({ event: 'proved', proof: proof.report });
  }

  /** @returns the pages that differ; undefined when none do, and the target is ready */
  async #takeAnswer(proof: MemoryProof): Promise<PageSet | undefined> {
    const { inbox } = this.#link.control;
    const differing = new PageSet(this.#departure.space.pageCount);
    let frame = await inbox.expect('ready', 'differ');
    for (let next = 0; frame.name === 'differ'; ) {
      next = proof.takeDifference(frame, next, differing);
      if (next === 0) return differing;
      frame = await inbox.expect('differ');
    }
    return undefined;
  }

  /** The point of no return: written down first, then told. */
  async #handOver(): Promise<void> {
    const { options, report } = this.#departure;
    if (options.signal?.aborted) throw new InterruptedError();
    await options.log.write('handed-over', report.attempts);
    this.#departure.downtime.note('decision');
    this.#departure.enter('commit');
    this.#departure.tell({ event: 'handed-over' });
    await this.#link.control.channel.send('commit', {});
    await this.#link.control.inbox.expect('running');
    await this.#departure.finish();
  }

  /** Sends what is pending, notes what got dirty meanwhile, and decides what to do then. */
  async #sendRound(
    after: number,
    paused: 'another-round' | 'switch-over' | 'seal' | 'resend',
    meanwhile?: () => Promise<void>,
  ): Promise<RoundDecision> {
    const { machine, pending, meter, report } = this.#departure;
    const isPaused = paused === 'seal' || paused === 'resend';
    if (!isPaused) await machine.takeDirty(pending);
    const pages = new PageSet(pending.pageCount);
    pages.union(pending);
    pending.clear();
    const start = clock();
    const size = pages.size;
    this.#progress.beginRound(this.#round, size);
    const onFrame = (done: number, bytes: number) => {
      if (paused === 'another-round') this.#checkTime();
      this.#tellProgress(done, bytes);
    };
    const counts = await this.#rounds.send(this.#round, pages, after, onFrame, meanwhile);
    const ms = clock() - start;
    if (after === AfterRound.ANOTHER) this.#costs.noteSettled(counts.settleMs);
    if (!isPaused) {
      await machine.takeDirty(pending);
      await this.#costs.measure();
    }
    const dirtied = pending.size;
    const decision = this.#decide(counts, dirtied, ms);
    const round = this.#reportOf(counts, decision, { ms, dirtied, rate: meter.rate(GUESSED_RATE), paused: isPaused });
    if (isPaused) Object.assign(round, { verdict: paused, because: '' });
    report.rounds.push(round);
    report.pages += counts.pages;
    this.#departure.tell({ event: 'round', report: round });
    this.#history.push(dirtied);
    this.#round++;
    if (!isPaused) await turn();
    return decision;
  }

  #decide(counts: RoundCounts, dirtyPages: number, ms: number): RoundDecision {
    const { limits, meter, start } = this.#departure;
    // What gets dirty again and again is sent as deltas; the last round that sent anything shows what a page takes.
    this.#bytesPerPage = counts.pages > 0 ? counts.bytes / counts.pages : this.#bytesPerPage;
    const rate =
      ms > 0 && counts.bytes > 1e6
        ? Math.max(meter.rate(GUESSED_RATE), (counts.bytes * 1000) / ms)
        : meter.rate(GUESSED_RATE);
    const dirtyBytes = dirtyPages * this.#bytesPerPage;
    const figures = {
      round: this.#round,
      elapsedMs: clock() - start,
      dirtyPages,
      dirtyBytes,
      rate,
      fixedMs: this.#costs.fixedMs,
    };
    return decideRound({ ...figures, history: this.#history, guestShare: this.#guestShare }, limits);
  }
  #bytesPerPage = PAGE_SIZE;

  #throttle(share: number): void {
    this.#guestShare = share;
    this.#departure.machine.throttle(share);
  }

  /** @returns whether there were any */
  #addLost(lost: PageSet): boolean {
    const count = lost.size;
    if (count === 0) return false;
    this.#departure.pending.union(lost);
    this.#departure.tell({ event: 'lost-pages', count, first: this.#departure.space.nameOf(lost.next(0)) });
    return true;
  }

  /** @throws SavkitError where a round is not to be waited for */
  #checkTime(): void {
    const { start, limits } = this.#departure;
    const why = whyBreakOff(clock() - start, limits);
    if (why !== undefined) throw timeLimit(why);
  }

  #tellProgress(done: number, bytes: number): void {
    const { meter, options } = this.#departure;
    if (!options.onEvent) return;
    const progress = this.#progress.update(done, bytes, meter.rate(GUESSED_RATE), this.#bytesPerPage);
    if (progress) this.#departure.tell({ event: 'progress', progress });
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

function timeLimit(because: string): SavkitError {
  return new MigrationError('time-limit', `Cannot go on: ${because}`);
}
