import { SavkitError } from '../../formats/errors.ts';
import { clock } from '../../formats/world/waiting.ts';
import type { LookBack, MigrationEvent, MigrationReport, ProofReport, RoundReport } from '../report/report.ts';
import { tellUndisturbed } from '../wire/tell-undisturbed.ts';
import { DowntimeClock, noPhases } from './downtime-clock.ts';
import type { MigrationFacts } from './migration-facts.ts';

/** Builds the report of a migration, and emits an event for each step. */
export class MigrationAccount {
  readonly downtime = new DowntimeClock();
  readonly #facts: MigrationFacts;
  readonly #report: MigrationReport;

  constructor(facts: MigrationFacts) {
    this.#facts = facts;
    this.#report = {
      migration: facts.options.migration,
      machine: facts.machine.description.name,
      outcome: 'kept',
      because: '',
      stays: null,
      code: null,
      downtime: noPhases(),
      pages: 0,
      bytes: 0,
      totalMs: 0,
      downtimeMs: 0,
      stops: 0,
      paused: false,
      inFile: false,
      attempts: 0,
      streams: 1,
      rounds: [],
      proof: undefined,
    };
  }

  get report(): MigrationReport {
    return this.#report;
  }

  tell(event: MigrationEvent): void {
    tellUndisturbed(this.#facts.options.onEvent, event);
  }

  /** @param inFile the target keeps the machine in a file */
  connected(attempt: number, streams: number, inFile: boolean): void {
    Object.assign(this.#report, { attempts: attempt, streams, inFile });
    this.tell({ event: 'connected', attempt, peer: this.#report.migration });
  }

  linkEnded(bytes: number): void {
    this.#report.bytes += bytes;
  }

  roundEnded(round: RoundReport): void {
    this.#report.rounds.push(round);
    this.#report.pages += round.pages;
    this.tell({ event: 'round', report: round });
  }

  /** To be called right before the machine is paused: the downtime begins. */
  stops(): void {
    this.#report.stops++;
    this.downtime.start();
  }

  /** @param wasPaused the machine was paused already */
  stopped(wasPaused: boolean): void {
    this.#report.paused = wasPaused;
    this.tell({ event: 'paused' });
  }

  proves(proof: ProofReport): void {
    this.#report.proof = proof;
  }

  /** To be called when the target has the machine, at the end of the downtime. */
  handedOver(): void {
    this.#report.outcome = 'handed-over';
    this.downtime.note('start');
    this.#report.downtimeMs = this.downtime.totalMs;
    this.#report.downtime = this.downtime.phases;
  }

  /** To be called after `handedOver`, once the record says that the target has the machine. */
  tellArrival(): void {
    const { downtimeMs, paused, inFile } = this.#report;
    this.tell({ event: paused || inFile ? 'arrived' : 'running', downtimeMs });
  }

  lookedBack(found: LookBack): void {
    this.tell({ event: 'looked-back', found });
  }

  kept({ message, code }: SavkitError, isPaused: boolean, stays: MigrationReport['stays']): void {
    const { because: beside } = this.#report;
    const because = stays === 'standing-still' && beside !== '' ? `${message}; ${beside}` : message;
    Object.assign(this.#report, { outcome: 'kept', because, stays, code, paused: isPaused });
  }

  undecided({ message, code }: SavkitError): void {
    const because =
      `${message}; the machine was handed over, and stands still here. savkit migrate --resolve tells where it ` +
      'may run';
    Object.assign(this.#report, { outcome: 'undecided', because, code });
  }

  /**
   * Notes a failure that does not change which side has the machine. @throws errors that are not savkit's own
   */
  failedBeside(error: unknown): void {
    if (!(error instanceof SavkitError)) throw error;
    this.#report.because = error.message;
  }

  ended(): void {
    this.#report.totalMs = clock() - this.#facts.start;
  }
}
