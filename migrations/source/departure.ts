import type { SavkitError } from '../../formats/errors.ts';
import { nextState, SOURCE_STATES, type SourceEvent, type SourceState } from '../hand-over/states.ts';
import type { SourceMachine } from '../machine.ts';
import { PageSpace } from '../page-space.ts';
import { PageSet } from '../pages/page-set.ts';
import { SentPages } from '../pages/sent-pages.ts';
import type { Zstd } from '../pages/zstd.ts';
import type { MigrationEvent, MigrationReport } from '../report.ts';
import { DowntimeClock, noPhases } from './downtime-clock.ts';
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
  readonly start = performance.now();
  /** What it takes to write a decision down, and to tell all of the machine but pages, in ms. */
  writeMs = 0;
  restMs = 0;
  readonly downtime = new DowntimeClock();

  constructor(machine: SourceMachine, options: MigrateOptions, zstd: Zstd | undefined) {
    this.machine = machine;
    this.options = options;
    this.zstd = zstd;
    this.space = new PageSpace(machine.description.regions);
    this.sent = new SentPages(this.space.pageCount);
    this.pending = new PageSet(this.space.pageCount);
    const { migration } = options;
    const { name } = machine.description;
    const nothing = { pages: 0, bytes: 0, totalMs: 0, downtimeMs: 0, stops: 0, paused: false, attempts: 0, streams: 1, rounds: [], proof: undefined };
    this.report = { migration, machine: name, outcome: 'kept', because: '', downtime: noPhases(), ...nothing };
  }

  enter(event: SourceEvent): void {
    this.state = nextState(SOURCE_STATES, this.state, event);
  }

  tell(event: MigrationEvent): void {
    this.options.onEvent?.(event);
  }

  /** Looks whether writing and telling have got faster: the first time of either is slow. */
  async measureAgain(): Promise<void> {
    const start = performance.now();
    await this.options.log.write('migrating');
    const written = performance.now();
    await this.machine.saveRest();
    this.writeMs = Math.min(this.writeMs, written - start);
    this.restMs = Math.min(this.restMs, performance.now() - written);
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
    await this.options.log.write('done');
    this.machine.release();
    this.tell({ event: 'running', downtimeMs: this.report.downtimeMs });
  }

  /** The machine stays: whatever has happened, it goes on as it was. */
  async keep(error: SavkitError): Promise<void> {
    const stands = this.state === 'paused' || this.state === 'handed-over';
    this.enter(this.state === 'handed-over' ? 'gave-up' : 'cancel');
    await this.options.log.write('kept');
    if (stands) this.machine.resume();
    this.machine.throttle(1);
    this.report.paused = this.machine.isPaused;
    this.report.outcome = 'kept';
    this.report.because = error.message;
  }
}
