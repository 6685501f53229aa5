import type { SavkitError } from '../../formats/errors.ts';
import { after } from '../../formats/world/waiting.ts';
import type { DecisionLog, SourceDecision } from '../hand-over/decision-record.ts';
import { nextState, SOURCE_STATES, type SourceEvent, type SourceState } from '../hand-over/states.ts';
import type { SourceMachine } from '../machine/machine.ts';
import type { MigrationReport } from '../report/report.ts';
import type { MigrationAccount } from './migration-account.ts';

/** Time after which a write to a full disk is tried again, in ms. */
const WRITE_AGAIN_MS = 5000;

/**
 * Decides at the source whether the machine runs: keeps the state of the hand-over, its record and the machine
 * consistent.
 */
export class SourceCustody {
  #state: SourceState = 'sending';
  readonly #machine: SourceMachine;
  readonly #log: DecisionLog;
  readonly #account: MigrationAccount;
  /** Whether the machine was paused, as the record says. */
  #wasPaused: boolean | undefined;

  constructor(machine: SourceMachine, log: DecisionLog, account: MigrationAccount) {
    this.#machine = machine;
    this.#log = log;
    this.#account = account;
  }

  get state(): SourceState {
    return this.#state;
  }

  /** Writes down that the machine is here, and being migrated. */
  writeMigrating(): Promise<void> {
    return this.#write('migrating');
  }

  /**
   * Records whether the machine is paused; to be called before savkit pauses it. If savkit is killed during the pause,
   * the machine stays paused, and the record tells whether it has to run again.
   */
  async writeWhetherPaused(): Promise<void> {
    const { isPaused } = this.#machine;
    if (!this.#machine.hasEnded || this.#wasPaused === isPaused) return;
    this.#log.standsStill(isPaused);
    await this.writeMigrating();
    this.#wasPaused = isPaused;
  }

  async pause(): Promise<void> {
    await this.writeWhetherPaused();
    this.#enter('pause');
    this.#account.stops();
    await this.#machine.pause();
    this.#account.stopped(this.#machine.isPaused);
  }

  /** Resumes the machine, unless it was paused before the migration. */
  async resume(because: string): Promise<void> {
    await this.#machine.resume();
    this.#enter('resume');
    this.#account.tell({ event: 'resumed', because });
  }

  /** Gives the machine to the target: once that is written down, there is no way back. */
  async handOver(): Promise<void> {
    await this.#machine.stillStands?.();
    await this.#write('handed-over');
    this.#account.downtime.note('decision');
    this.#enter('commit');
    this.#account.tell({ event: 'handed-over' });
  }

  /** To be called when the target has reported that it has the machine. */
  async finish(): Promise<void> {
    this.#enter('running');
    this.#account.handedOver();
    // If this fails, the record keeps `handed-over`, which is also true of a machine that runs at the target.
    await this.#writeIfPossible('done');
    this.#account.tellArrival();
  }

  /** Keeps the machine here after a failure, and resumes it if possible. */
  async keep(error: SavkitError): Promise<void> {
    const stands = this.#state === 'paused' || this.#state === 'handed-over';
    this.#enter(this.#state === 'handed-over' ? 'gave-up' : 'cancel');
    // If this fails, the older record leaves the machine here as well: `migrating`, or `handed-over` to a target that
    // gave up. But a target that has lost its link can learn of the decision only from this record.
    await this.#write('kept').catch((failure: unknown) => {
      this.#account.failedBeside(failure);
      this.#writeLater('kept');
    });
    let stays: MigrationReport['stays'] = 'as-it-was';
    try {
      if (stands) await this.#machine.resume();
      this.#machine.throttle(1);
    } catch (failure) {
      this.#account.failedBeside(failure);
      stays = 'standing-still';
    }
    if (await this.#machine.hasEnded?.()) stays = 'ended';
    this.#account.kept(error, this.#machine.isPaused, stays);
  }

  #enter(event: SourceEvent): void {
    this.#state = nextState(SOURCE_STATES, this.#state, event);
  }

  #writeLater(decision: SourceDecision): void {
    const write = () => void this.#write(decision).catch(() => this.#writeLater(decision));
    after(WRITE_AGAIN_MS, write, { keepsAlive: false });
  }

  async #writeIfPossible(decision: SourceDecision): Promise<void> {
    await this.#write(decision).catch((error: unknown) => this.#account.failedBeside(error));
  }

  #write(decision: SourceDecision): Promise<void> {
    return this.#log.write(decision, this.#account.report.attempts);
  }
}
