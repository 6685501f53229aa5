import { randomBytes } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import { InterruptedError, SavkitError } from '../../formats/errors.ts';
import { nextState, SOURCE_STATES, type SourceEvent, type SourceState } from '../hand-over/states.ts';
import type { SourceMachine } from '../machine.ts';
import { PageSpace } from '../page-space.ts';
import { PageSet } from '../pages/page-set.ts';
import { SentPages } from '../pages/sent-pages.ts';
import { loadZstd, type Zstd } from '../pages/zstd.ts';
import type { MigrationEvent, MigrationReport } from '../report.ts';
import { TIME_OUTS } from '../wire/limits.ts';
import { LinkError } from '../wire/link-error.ts';
import { PeerError } from '../wire/peer-error.ts';
import { askUntilDecided } from './in-doubt.ts';
import type { MigrateOptions } from './options.ts';
import { RateMeter } from './rate-meter.ts';
import { SourceLink } from './source-link.ts';
import { SourceSession } from './source-session.ts';

/** A fresh name for a migration. */
export function newMigrationId(): string {
  return randomBytes(16).toString('hex');
}

const RESUME_WITHIN_MS = 60_000;
const RETRY_AFTER_MS = [100, 300, 1000, 2000, 5000];

/**
 * Moves a running machine to a target. When this resolves, the machine either runs there (`handed-over`: it is released here), or goes on here
 * (`kept`), or the link broke after the decision and nobody can say yet (`undecided`: it stands still here; see `resolve`).
 * @throws SavkitError only before anything has happened: when the first connection, or the target, refuses. The machine runs on then
 */
export async function migrate(machine: SourceMachine, options: MigrateOptions): Promise<MigrationReport> {
  return new SourceMigration(machine, options, await loadZstd()).run();
}

/** One migration from the first connection to the last word; sessions come and go with their links. */
export class SourceMigration {
  state: SourceState = 'sending';
  readonly machine: SourceMachine;
  readonly options: MigrateOptions;
  readonly zstd: Zstd | undefined;
  readonly space: PageSpace;
  readonly sent: SentPages;
  /** Pages to be sent. */
  readonly pending: PageSet;
  readonly meter = new RateMeter();
  readonly report: MigrationReport;
  readonly start = performance.now();
  /** What it takes to write a decision down, and to tell all of the machine but pages, in ms. */
  writeMs = 0;
  restMs = 0;
  /** When the machine was stopped. */
  pausedAt = 0;
  #attempt = 0;

  constructor(machine: SourceMachine, options: MigrateOptions, zstd: Zstd | undefined) {
    this.machine = machine;
    this.options = options;
    this.zstd = zstd;
    this.space = new PageSpace(machine.description.regions);
    this.sent = new SentPages(this.space.pageCount);
    this.pending = new PageSet(this.space.pageCount);
    const { migration } = options;
    const { name } = machine.description;
    const nothing = { pages: 0, bytes: 0, totalMs: 0, downtimeMs: 0, attempts: 0, streams: 1, rounds: [], proof: undefined };
    this.report = { migration, machine: name, outcome: 'kept', because: '', ...nothing };
  }

  async run(): Promise<MigrationReport> {
    await this.options.log.write('migrating');
    this.writeMs = performance.now() - this.start;
    this.machine.startTracking();
    try {
      await this.#tryUntilDone();
    } catch (error) {
      await this.#keep(error as SavkitError);
    } finally {
      if (this.state !== 'handed-over') this.machine.stopTracking();
      this.report.totalMs = performance.now() - this.start;
    }
    return this.report;
  }

  enter(event: SourceEvent): void {
    this.state = nextState(SOURCE_STATES, this.state, event);
  }

  tell(event: MigrationEvent): void {
    this.options.onEvent?.(event);
  }

  /** Stops the machine. */
  async pause(): Promise<void> {
    this.enter('pause');
    this.pausedAt = performance.now();
    await this.machine.pause();
    this.tell({ event: 'paused' });
  }

  /** Lets the machine run on. */
  resume(because: string): void {
    this.enter('resume');
    this.machine.resume();
    this.tell({ event: 'resumed', because });
  }

  /** The target runs the machine, and this side knows. */
  async finish(): Promise<void> {
    this.enter('running');
    this.report.outcome = 'handed-over';
    this.report.downtimeMs = performance.now() - this.pausedAt;
    await this.options.log.write('done');
    this.machine.release();
    this.tell({ event: 'running', downtimeMs: this.report.downtimeMs });
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
        if (this.state === 'handed-over') return this.#askTarget(error as SavkitError);
        if (this.state === 'paused') this.resume('the link is lost');
        lostAt ||= performance.now();
        const hasTime = performance.now() - lostAt < (this.options.resumeWithinMs ?? RESUME_WITHIN_MS);
        if (!(error instanceof LinkError) || this.#attempt === 0 || !hasTime || this.options.signal?.aborted) throw error;
        const { retryAfterMs = RETRY_AFTER_MS } = this.options;
        const retryInMs = retryAfterMs[Math.min(failures++, retryAfterMs.length - 1)];
        this.tell({ event: 'link-lost', message: error.message, retryInMs });
        await setTimeout(retryInMs, undefined, this.options.signal ? { signal: this.options.signal } : {}).catch(() => {});
      }
    }
  }

  async #attemptOnce(onConnected: () => void): Promise<void> {
    const { connect, signal, streams = 1, migration, timeOuts = TIME_OUTS } = this.options;
    const linkOptions = { connect, signal, streams, zstd: this.zstd !== undefined, timeOuts, migration };
    const link = await SourceLink.open(linkOptions, this.#attempt + 1, this.machine, this.sent.hashes, this.meter);
    this.#attempt++;
    this.restMs = link.restMs;
    onConnected();
    this.report.attempts = this.#attempt;
    this.report.streams = link.streams.length;
    this.sent.restart();
    // Whatever was under way when the last link broke: of all pages those are sent that the target does not have.
    this.pending.addAll();
    this.tell({ event: 'connected', attempt: this.#attempt, peer: migration });
    try {
      await new SourceSession(this, link).run();
      link.end();
    } catch (error) {
      const reason = await link.reasonFor(error as SavkitError);
      await this.#sayWhy(link, reason);
      throw reason;
    } finally {
      this.report.bytes += link.bytesSent;
      if (this.state !== 'done') link.destroy();
    }
  }

  /** Tells the target why this side does not go on, unless it is the link that is gone. */
  async #sayWhy(link: SourceLink, error: SavkitError): Promise<void> {
    if (error instanceof LinkError || error instanceof PeerError || this.state === 'handed-over') return;
    const reason = { code: error.code ?? 'internal', message: error.message };
    await link.control.channel.send(error instanceof InterruptedError ? 'cancel' : 'refuse', {}, reason).catch(() => {});
  }

  /** The decision is written down, but the target's answer is missing. */
  async #askTarget(error: SavkitError): Promise<void> {
    const { connect, migration, timeOuts = TIME_OUTS, log, stopAsking: signal } = this.options;
    this.tell({ event: 'link-lost', message: error.message, retryInMs: 0 });
    const linkOptions = { connect, signal, streams: 1, zstd: false, timeOuts, migration };
    const answer = await askUntilDecided(linkOptions, { log, signal, nextAttempt: () => ++this.#attempt });
    if (answer === 'started') return this.finish();
    if (answer === 'gave-up') return this.#keep(new SavkitError('target-gave-up', 'The target never ran the machine'));
    this.report.outcome = 'undecided';
    this.report.because = `${error.message}; the machine was handed over, and stands still here. savkit migrate --resolve tells where it may run`;
  }

  /** The machine stays: whatever has happened, it runs on. */
  async #keep(error: SavkitError): Promise<void> {
    if (!(error instanceof SavkitError)) throw error;
    const stands = this.state === 'paused' || this.state === 'handed-over';
    this.enter(this.state === 'handed-over' ? 'gave-up' : 'cancel');
    await this.options.log.write('kept');
    if (stands) this.machine.resume();
    this.machine.throttle(1);
    this.report.outcome = 'kept';
    this.report.because = error.message;
    if (this.#attempt === 0) throw error;
  }
}
