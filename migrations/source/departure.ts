import { SavkitError } from '../../formats/errors.ts';
import { clock } from '../../formats/world/waiting.ts';
import type { SourceDecision } from '../hand-over/decision-record.ts';
import { nextState, SOURCE_STATES, type SourceEvent, type SourceState } from '../hand-over/states.ts';
import type { SourceMachine } from '../machine/machine.ts';
import { PageSet } from '../machine/page-set.ts';
import { PageSpace } from '../machine/page-space.ts';
import { SentPages } from '../pages/sent-pages.ts';
import type { Zstd } from '../pages/zstd.ts';
import { areSameLimits, completeLimits, DEFAULT_LIMITS, type MigrationLimits } from '../policy/limits.ts';
import type { MigrationEvent, MigrationReport } from '../report/report.ts';
import { tellUndisturbed } from '../wire/tell-undisturbed.ts';
import { DowntimeClock, noPhases } from './downtime-clock.ts';
import type { MemoryProof } from './memory-proof.ts';
import type { MigrateOptions } from './options.ts';
import { RateMeter } from './rate-meter.ts';

/** A machine on its way out: what outlives links. */
export class Departure {
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
  proof: MemoryProof | undefined;
  readonly start = clock();
  /** What it takes to write a decision down, and to tell all of the machine but pages, in ms. */
  writeMs = 0;
  restMs = 0;
  readonly downtime = new DowntimeClock();
  #given: Partial<MigrationLimits> = {};
  #limits: MigrationLimits = DEFAULT_LIMITS;

  constructor(machine: SourceMachine, options: MigrateOptions, zstd: Zstd | undefined) {
    this.machine = machine;
    this.options = options;
    this.zstd = zstd;
    this.space = new PageSpace(machine.description.regions);
    this.sent = new SentPages(this.space.pageCount);
    this.pending = new PageSet(this.space.pageCount);
    const { migration } = options;
    const { name } = machine.description;
    const nothing = {
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
    this.report = {
      migration,
      machine: name,
      outcome: 'kept',
      because: '',
      code: null,
      downtime: noPhases(),
      ...nothing,
    };
  }

  /** As they are now; asked for with each frame, so that only changes are looked at. @throws UsageError `bad-limit` */
  get limits(): MigrationLimits {
    const given = this.options.limits ?? {};
    if (!areSameLimits(given, this.#given)) {
      this.#limits = completeLimits(given);
      this.#given = { ...given };
    }
    return this.#limits;
  }

  enter(event: SourceEvent): void {
    this.state = nextState(SOURCE_STATES, this.state, event);
  }

  tell(event: MigrationEvent): void {
    tellUndisturbed(this.options.onEvent, event);
  }

  /** Looks whether writing and telling have got faster: the first time of either is slow. */
  async measureAgain(): Promise<void> {
    const start = clock();
    await this.options.log.write('migrating', this.report.attempts);
    const written = clock();
    await this.machine.saveRest();
    this.writeMs = Math.min(this.writeMs, written - start);
    this.restMs = Math.min(this.restMs, clock() - written);
  }

  /** Stops the machine. */
  async pause(): Promise<void> {
    this.enter('pause');
    this.report.stops++;
    this.downtime.start();
    await this.machine.pause();
    this.report.paused = this.machine.isPaused;
    this.tell({ event: 'paused' });
  }

  /** Lets the machine go on as it was. */
  resume(because: string): void {
    this.enter('resume');
    this.machine.resume();
    this.tell({ event: 'resumed', because });
  }

  /** The target has the machine, and this side knows. */
  async finish(): Promise<void> {
    this.enter('running');
    this.report.outcome = 'handed-over';
    this.downtime.note('start');
    this.report.downtimeMs = this.downtime.totalMs;
    this.report.downtime = this.downtime.phases;
    // What stands there, `handed-over`, says the same of a machine that runs at the target.
    await this.#writeIfPossible('done');
    const { downtimeMs, paused, inFile } = this.report;
    this.tell({ event: paused || inFile ? 'arrived' : 'running', downtimeMs });
  }

  /** The machine lives at the target; before its memory here is given up it shows what an audit could not. */
  async letGo(): Promise<void> {
    try {
      if (this.proof?.report.mode === 'audited') await this.#lookBack(this.proof);
    } finally {
      this.machine.release();
    }
  }

  async #lookBack(proof: MemoryProof): Promise<void> {
    const found = await proof.lookBack();
    if (found.lostPages > 0) {
      const keep = this.options.keepAsItWas?.() ?? '';
      found.keptIn = (await Promise.resolve(keep).catch((error: SavkitError) => this.#note(error))) ?? '';
    }
    this.tell({ event: 'looked-back', found });
  }

  /** The machine stays: whatever has happened, it goes on as it was. */
  async keep(error: SavkitError): Promise<void> {
    const stands = this.state === 'paused' || this.state === 'handed-over';
    this.enter(this.state === 'handed-over' ? 'gave-up' : 'cancel');
    // What stands there, `migrating`, or `handed-over` to a target that gave up, leaves it here, too.
    await this.#writeIfPossible('kept');
    if (stands) this.machine.resume();
    this.machine.throttle(1);
    this.report.paused = this.machine.isPaused;
    this.report.outcome = 'kept';
    this.report.because = error.message;
    this.report.code = error.code;
  }

  async #writeIfPossible(decision: SourceDecision): Promise<void> {
    await this.options.log.write(decision, this.report.attempts).catch((error: SavkitError) => this.#note(error));
  }

  /** Something that does not change what becomes of the machine. */
  #note(error: SavkitError): void {
    if (!(error instanceof SavkitError)) throw error;
    this.report.because = error.message;
  }
}
