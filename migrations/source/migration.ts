import { InterruptedError, SavkitError } from '../../formats/errors.ts';
import { clock, sleep } from '../../formats/world/waiting.ts';
import { world } from '../../formats/world/world.ts';
import type { SourceMachine } from '../machine/machine.ts';
import { loadZstd } from '../pages/zstd.ts';
import { whyBreakOff } from '../policy/decide-round.ts';
import { completeLimits } from '../policy/limits.ts';
import type { MigrationReport } from '../report/report.ts';
import { TIME_OUTS } from '../wire/limits.ts';
import { LinkError } from '../wire/link-error.ts';
import { MigrationError } from '../wire/migration-error.ts';
import { PeerError } from '../wire/peer-error.ts';
import { Departure } from './departure.ts';
import { askUntilDecided } from './in-doubt.ts';
import type { MigrateOptions } from './options.ts';
import { SourceLink } from './source-link.ts';
import { SourceSession } from './source-session.ts';

/** A fresh name for a migration. */
export function newMigrationId(): string {
  return world.chance.bytes(16).toString('hex');
}

const RESUME_WITHIN_MS = 60_000;
/**
 * So often the machine is stopped for a hand-over whose link then breaks: with a link that bears rounds but no
 * hand-over its guest would only ever stutter.
 */
const MAX_STOPS = 3;
const RETRY_AFTER_MS = [100, 300, 1000, 2000, 5000];

/**
 * Moves a running machine to a target. When this resolves, the machine either runs there (`handed-over`: it is released
 * here), or goes on here (`kept`), or the link broke after the decision and nobody can say yet (`undecided`: it stands
 * still here; see `resolve`).
 * @throws UsageError `bad-limit`; SavkitError only before anything has happened: when the first connection, or the
 * target, refuses. The machine runs on then
 */
export async function migrate(machine: SourceMachine, options: MigrateOptions): Promise<MigrationReport> {
  // What is no limit is refused before anything happens.
  completeLimits(options.limits ?? {});
  return new SourceMigration(new Departure(machine, options, await loadZstd())).run();
}

/** One migration from the first connection to the last word; sessions come and go with their links. */
class SourceMigration {
  readonly #departure: Departure;
  /** Number of the last connection: it goes up with each, whether or not it came about. */
  #attempt = 0;
  /** The target has accepted the machine once: it is worth coming back. */
  #wasAccepted = false;

  constructor(departure: Departure) {
    this.#departure = departure;
  }

  async run(): Promise<MigrationReport> {
    await this.#departure.options.log.write('migrating', this.#attempt);
    this.#departure.writeMs = clock() - this.#departure.start;
    this.#departure.machine.startTracking();
    try {
      await this.#tryUntilDone();
    } catch (error) {
      await this.#keep(error as SavkitError);
    } finally {
      this.#departure.report.totalMs = clock() - this.#departure.start;
      if (this.#departure.state !== 'handed-over') this.#departure.machine.stopTracking();
    }
    if (this.#departure.state === 'done') await this.#departure.letGo();
    return this.#departure.report;
  }

  async #tryUntilDone(): Promise<void> {
    let lostAt = 0;
    for (let failures = 0; ; ) {
      try {
        await this.#attemptOnce(() => {
          failures = 0;
          lostAt = 0;
        });
        return;
      } catch (error) {
        if (this.#departure.state === 'handed-over') return this.#askTarget(error as SavkitError);
        if (this.#departure.state === 'paused') this.#goOn(error as SavkitError);
        lostAt ||= clock();
        const hasTime = clock() - lostAt < (this.#departure.options.resumeWithinMs ?? RESUME_WITHIN_MS);
        const { retryAfterMs = RETRY_AFTER_MS, signal } = this.#departure.options;
        if (!(error instanceof LinkError) || !this.#wasAccepted || !hasTime || signal?.aborted) throw error;
        const why = whyBreakOff(clock() - this.#departure.start, this.#departure.limits);
        if (why !== undefined) throw new MigrationError('time-limit', `Cannot go on: ${why}; ${error.message}`);
        const retryInMs = retryAfterMs[Math.min(failures++, retryAfterMs.length - 1)];
        this.#departure.tell({ event: 'link-lost', message: error.message, retryInMs });
        await sleep(retryInMs, { signal });
      }
    }
  }

  /**
   * The machine stood still for a hand-over that did not come about. @throws SavkitError when that has happened too
   * often
   */
  #goOn(error: SavkitError): void {
    const { report } = this.#departure;
    if (report.stops >= MAX_STOPS && error instanceof LinkError)
      throw new MigrationError(
        'too-many-stops',
        `Cannot hand over: the machine was stopped ${report.stops} times, and each time the link broke; last: ${error.message}`,
      );
    this.#departure.resume('the link is lost');
  }

  async #attemptOnce(onConnected: () => void): Promise<void> {
    const { connect, signal, streams = 1, migration, timeOuts = TIME_OUTS } = this.#departure.options;
    const linkOptions = { connect, signal, streams, zstd: this.#departure.zstd !== undefined, timeOuts, migration };
    const link = await SourceLink.open(
      linkOptions,
      ++this.#attempt,
      this.#departure.machine,
      this.#departure.sent.hashes,
      this.#departure.meter,
    );
    this.#wasAccepted = true;
    this.#departure.restMs = link.restMs;
    this.#departure.report.inFile = !link.targetRuns;
    onConnected();
    this.#departure.report.attempts = this.#attempt;
    this.#departure.report.streams = link.streams.length;
    this.#departure.sent.restart();
    // Whatever was under way when the last link broke: of all pages those are sent that the target does not have.
    this.#departure.pending.addAll();
    this.#departure.tell({ event: 'connected', attempt: this.#attempt, peer: migration });
    // Cancelling does not wait for a target that is slow to answer, or does not answer; behind the decision there is
    // nothing to cancel.
    const cancel = () => this.#departure.state !== 'handed-over' && link.interrupt(new InterruptedError());
    signal?.addEventListener('abort', cancel);
    try {
      if (signal?.aborted) throw new InterruptedError();
      await new SourceSession(this.#departure, link).run();
      link.end();
    } catch (error) {
      const reason = await link.reasonFor(error as SavkitError);
      if (await this.#sayWhy(link, reason)) link.part();
      else link.destroy();
      throw reason;
    } finally {
      signal?.removeEventListener('abort', cancel);
      this.#departure.report.bytes += link.bytesSent;
    }
  }

  /** Tells the target why this side does not go on, unless it is the link that is gone. @returns whether it did */
  async #sayWhy(link: SourceLink, error: SavkitError): Promise<boolean> {
    if (error instanceof LinkError || error instanceof PeerError || this.#departure.state === 'handed-over')
      return false;
    const reason = { code: error.code ?? 'internal', message: error.message };
    await link.control.channel
      .send(error instanceof InterruptedError ? 'cancel' : 'refuse', {}, reason)
      .catch(() => {});
    return true;
  }

  /** The decision is written down, but the target's answer is missing. */
  async #askTarget(error: SavkitError): Promise<void> {
    const { connect, migration, timeOuts = TIME_OUTS, log, stopAsking: signal } = this.#departure.options;
    this.#departure.tell({ event: 'link-lost', message: error.message, retryInMs: 0 });
    const linkOptions = { connect, signal, streams: 1, zstd: false, timeOuts, migration };
    const answer = await askUntilDecided(linkOptions, { log, signal, nextAttempt: () => ++this.#attempt });
    if (answer === 'started') return this.#departure.finish();
    if (answer === 'gave-up')
      return this.#keep(new MigrationError('target-gave-up', 'The target never ran the machine'));
    this.#departure.report.outcome = 'undecided';
    this.#departure.report.code = error.code;
    this.#departure.report.because = `${error.message}; the machine was handed over, and stands still here. savkit migrate --resolve tells where it may run`;
  }

  async #keep(error: SavkitError): Promise<void> {
    if (!(error instanceof SavkitError)) throw error;
    await this.#departure.keep(error);
    if (!this.#wasAccepted) throw error;
  }
}
