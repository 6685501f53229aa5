import { InterruptedError, SavkitError } from '../../formats/errors.ts';
import { chosenFrom } from '../../formats/values/chosen-from.ts';
import { countWithin } from '../../formats/values/count-within.ts';
import { clock, sleep } from '../../formats/world/waiting.ts';
import { world } from '../../formats/world/world.ts';
import type { SourceMachine } from '../machine/machine.ts';
import { loadZstd } from '../pages/zstd.ts';
import { timeIsOver, whyBreakOff } from '../policy/decide-round.ts';
import { completeLimits } from '../policy/limits.ts';
import type { MigrationReport } from '../report/report.ts';
import { connectUntil } from '../wire/connect-until.ts';
import { MAX_STREAMS, TIME_OUTS } from '../wire/limits.ts';
import { LinkError } from '../wire/link-error.ts';
import { MigrationError, reasonOf } from '../wire/migration-error.ts';
import { PeerError } from '../wire/peer-error.ts';
import { type Departure, departureOf } from './departure.ts';
import { askUntilDecided } from './in-doubt.ts';
import type { MemoryProof } from './memory-proof.ts';
import { COMPRESSION_CHOICES, type MigrateOptions, PROOF_CHOICES } from './options.ts';
import { Outage } from './outage.ts';
import { Overtime } from './overtime.ts';
import { timeLimit } from './round-course.ts';
import { type LinkOptions, SourceLink } from './source-link.ts';
import { SourceSession } from './source-session.ts';

/** A fresh name for a migration. */
export function newMigrationId(): string {
  return world.chance.bytes(16).toString('hex');
}

const RESUME_WITHIN_MS = 60_000;
/**
 * Limit of attempts to hand over. If links last for rounds, but never for a hand-over, the guest would stutter for
 * ever.
 */
const MAX_STOPS = 3;
const RETRY_AFTER_MS = [100, 300, 1000, 2000, 5000];

/**
 * Moves a running machine to a target. When this resolves, the machine either runs there (`handed-over`: it is released
 * here), or goes on here (`kept`), or the link broke after the decision, and the outcome is not known yet (`undecided`:
 * it stands still here; see `resolve`).
 * @throws UsageError `bad-limit`, `bad-value`, `bad-count`; SavkitError only before the target has accepted the
 * machine, which then runs on
 */
export async function migrate(machine: SourceMachine, options: MigrateOptions): Promise<MigrationReport> {
  // Bad options are refused before anything happens.
  completeLimits(options.limits ?? {});
  countWithin('streams', options.streams ?? 1, 1, MAX_STREAMS);
  chosenFrom('compression', options.compression ?? 'auto', COMPRESSION_CHOICES);
  chosenFrom('proof', options.proof ?? 'auto', PROOF_CHOICES);
  return new SourceMigration(departureOf(machine, options, await loadZstd())).run();
}

/** One migration from the first connection to the last word; sessions come and go with their links. */
class SourceMigration {
  readonly #departure: Departure;
  /** Number of the last attempt to connect, failed ones included. */
  #attempt = 0;
  /** The target has accepted the machine once, so connecting again is worth while. */
  #wasAccepted = false;
  /** Begins while the target makes its machine ready. */
  #tracking: Promise<void> = Promise.resolve();
  /** The last attempt has made a link. */
  #wasLinked = false;
  /** Proof of the last session that had one. */
  #proof: MemoryProof | undefined;

  constructor(departure: Departure) {
    this.#departure = departure;
  }

  async run(): Promise<MigrationReport> {
    const { facts, custody, account, costs, transfer } = this.#departure;
    await custody.writeMigrating();
    costs.noteWrite(clock() - facts.start);
    this.#tracking = (async () => facts.machine.startTracking(transfer.sent.hashes))();
    this.#tracking.catch(() => {});
    try {
      await this.#tryUntilDone();
    } catch (error) {
      await this.#keep(error);
    } finally {
      account.ended();
      await this.#tracking.catch(() => {});
      if (custody.state !== 'handed-over') await facts.machine.stopTracking();
    }
    if (custody.state === 'done') await this.#letGo();
    return account.report;
  }

  async #tryUntilDone(): Promise<void> {
    const { facts, custody, account } = this.#departure;
    const { resumeWithinMs = RESUME_WITHIN_MS, retryAfterMs = RETRY_AFTER_MS, signal } = facts.options;
    const outage = new Outage(resumeWithinMs, retryAfterMs);
    const overtime = new Overtime();
    for (;;) {
      try {
        await this.#attemptOnce(outage);
        return;
      } catch (error) {
        if (custody.state === 'handed-over') return this.#askTarget(error);
        if (custody.state === 'paused') await this.#goOn(error);
        if (!(error instanceof LinkError) || !this.#wasAccepted || signal?.aborted) throw error;
        const retryInMs = outage.retryIn();
        if (retryInMs === undefined) throw error;
        this.#checkTime(error, overtime);
        account.tell({ event: 'link-lost', message: error.message, retryInMs });
        await sleep(retryInMs, { signal });
      }
    }
  }

  /** @throws MigrationError when the time for another link is over, or another link would not help */
  #checkTime(error: LinkError, overtime: Overtime): void {
    const { facts, limits, transfer } = this.#departure;
    const elapsed = clock() - facts.start;
    const why = whyBreakOff(elapsed, limits.now);
    if (why !== undefined) throw timeLimit(`${why}; ${error.message}`);
    if (elapsed < limits.now.timeLimitMs || !this.#wasLinked || !overtime.linkLost(transfer.reached)) return;
    const vain = `the last ${overtime.vainLinks} links broke and brought no more than those before`;
    throw timeLimit(`${timeIsOver(limits.now)}, and ${vain}; last: ${error.message}`);
  }

  /** Resumes the machine after a hand-over that failed. @throws MigrationError when hand-overs have failed too often */
  async #goOn(error: unknown): Promise<void> {
    const { custody, account } = this.#departure;
    const { stops } = account.report;
    if (stops >= MAX_STOPS && error instanceof LinkError)
      throw new MigrationError(
        'too-many-stops',
        `Cannot hand over: the machine was stopped ${stops} times, and each time the link broke; last: ` +
          `${error.message}`,
      );
    await custody.resume('the link is lost').catch(() => {
      // `#keep` tries once more.
      throw error;
    });
  }

  async #attemptOnce(outage: Outage): Promise<void> {
    const { facts, transfer, custody, account, costs } = this.#departure;
    const { signal, streams = 1 } = facts.options;
    this.#wasLinked = false;
    const link = await SourceLink.open(
      this.#linkOptions(streams, signal),
      ++this.#attempt,
      facts.machine,
      transfer.sent.hashes,
      transfer.meter,
    );
    this.#wasAccepted = true;
    this.#wasLinked = true;
    outage.linked(transfer.sent.hashes);
    costs.beginLink(link.restMs);
    transfer.beginLink();
    account.connected(this.#attempt, link.streams.length, !link.targetRuns);
    // Cancelling does not wait for a target that is slow to answer, or does not answer; after the decision there is
    // nothing to cancel.
    const cancel = () => custody.state !== 'handed-over' && link.interrupt(new InterruptedError());
    signal?.addEventListener('abort', cancel);
    const session = new SourceSession(this.#departure, link);
    try {
      await this.#tracking;
      if (signal?.aborted) throw new InterruptedError();
      await session.run();
      link.end();
    } catch (error) {
      const reason = await link.reasonFor(error);
      if (await this.#sayWhy(link, reason)) link.part();
      else link.destroy();
      throw reason;
    } finally {
      signal?.removeEventListener('abort', cancel);
      if (link.isStuck) outage.isStuck();
      this.#proof = session.proof ?? this.#proof;
      account.linkEnded(link.bytesSent);
    }
  }

  #linkOptions(streams: number, signal: AbortSignal | undefined): LinkOptions {
    const { options, zstd } = this.#departure.facts;
    const { connect, migration, timeOuts = TIME_OUTS } = options;
    return {
      connect: (until) => connectUntil(connect, until),
      signal,
      streams,
      zstd: zstd !== undefined,
      timeOuts,
      migration,
    };
  }

  /**
   * Tells the target why this side does not go on, unless the link is gone or the target has ended the migration.
   * @returns whether the target was told
   */
  async #sayWhy(link: SourceLink, error: unknown): Promise<boolean> {
    const isTold = error instanceof LinkError || error instanceof PeerError;
    if (isTold || this.#departure.custody.state === 'handed-over') return false;
    await link.control.channel
      .send(error instanceof InterruptedError ? 'cancel' : 'refuse', {}, reasonOf(error))
      .catch(() => {});
    return true;
  }

  /** Asks the target for its answer to a decision that is written down. */
  async #askTarget(error: unknown): Promise<void> {
    if (!(error instanceof SavkitError)) throw error;
    const { facts, custody, account } = this.#departure;
    const { log, stopAsking: signal } = facts.options;
    account.tell({ event: 'link-lost', message: error.message, retryInMs: 0 });
    const answer = await askUntilDecided(this.#linkOptions(1, signal), {
      ...{ log, signal },
      nextAttempt: () => ++this.#attempt,
    });
    if (answer === 'started') return custody.finish();
    if (answer === 'gave-up')
      return this.#keep(new MigrationError('target-gave-up', 'The target never ran the machine'));
    account.undecided(error);
  }

  async #keep(error: unknown): Promise<void> {
    if (!(error instanceof SavkitError)) throw error;
    await this.#departure.custody.keep(error);
    if (!this.#wasAccepted) throw error;
  }

  /**
   * Releases a machine that runs at the target. Before, a last comparison of its memory here shows writes that were
   * lost after an audit.
   */
  async #letGo(): Promise<void> {
    try {
      if (this.#proof?.report.mode === 'audited') await this.#lookBack(this.#proof);
    } finally {
      await this.#departure.facts.machine.release();
    }
  }

  async #lookBack(proof: MemoryProof): Promise<void> {
    const { facts, account } = this.#departure;
    // The machine is the target's by now, whatever becomes of its memory here.
    const found = await proof.lookBack().catch((error: unknown) => account.failedBeside(error));
    if (!found) return;
    if (found.lostPages > 0) {
      try {
        found.keptIn = (await facts.options.keepAsItWas?.()) ?? '';
      } catch (error) {
        account.failedBeside(error);
      }
    }
    account.lookedBack(found);
  }
}
