import { SavkitError } from '../../formats/errors.ts';
import { Random } from '../../formats/testing/random.ts';
import type { DiskWork } from '../../formats/testing/simulated-disk.ts';
import type { Receiver, ReceiverOptions } from '../arrival/receiver.ts';
import { DecisionFile, recordPath } from '../hand-over/decision-record.ts';
import { recallTarget } from '../hand-over/record-folder.ts';
import type { SourceMachine, TargetMachine } from '../machine/machine.ts';
import type { MigrationLimits } from '../policy/limits.ts';
import { DEFAULT_LIMITS } from '../policy/limits.ts';
import type { MigrationReport } from '../report/report.ts';
import { migrate } from '../source/migration.ts';
import { nameOfFrame } from './incident-clock.ts';
import { type Ground, Operators } from './operators.ts';
import type { Incident, Scenario } from './scenario.ts';
import type { GuestOwner } from './simulated-guest.ts';
import { Troubles } from './troubles.ts';
import { Network } from './world/network.ts';
import { RECORDS, SimulatedHost, type SimulatedProcess, type Surroundings } from './world/simulated-process.ts';
import type { HostName } from './world/simulated-socket.ts';
import { Timeline } from './world/timeline.ts';

/** Name of the first migration. */
export const FIRST = '00112233445566778899aabbccddeeff';

/** Files that are on no disk: memory of guests, facts of the system. */
const IN_MEMORY = /^\/(dev|proc)\//;

/** Troubles that kill no process and are no reason to give up: once they cease, the migration ends by itself. */
const PASSING: ReadonlySet<Incident['kind']> = new Set(['cut', 'part', 'disk', 'clock', 'copy', 'limits', 'pause']);

/** The world of one scenario: two hosts, a machine that moves between them, and all that happens to them. */
export abstract class Play<M extends TargetMachine = TargetMachine> implements Surroundings, Ground {
  readonly scenario: Scenario;
  readonly timeline = new Timeline();
  readonly random: Random;
  readonly hosts: Record<HostName, SimulatedHost>;
  abstract readonly guest: { readonly owners: ReadonlySet<GuestOwner>; readonly faults: string[] };
  readonly network: Network;
  readonly operators: Operators;
  source: SimulatedProcess | undefined;
  target: SimulatedProcess | undefined;
  receiver: Receiver<M> | undefined;
  /** Result of the source's program; undefined while it runs. */
  report: MigrationReport | undefined;
  refusal: SavkitError | undefined;
  /** The target's program has ended by itself. */
  targetHasEnded = false;
  readonly troubles: Troubles;
  /** Limits of the migration under way. */
  readonly limits: Partial<MigrationLimits>;
  /** Cancels the migration under way. */
  #cancel = new AbortController();
  /** The process that migrates the machine. */
  migrating: SimulatedProcess | undefined;
  /** Receiver that was told that its machine stays at the source. */
  #refused: Receiver<M> | undefined;

  constructor(scenario: Scenario) {
    this.scenario = scenario;
    this.random = new Random(scenario.seed);
    this.limits = { ...scenario.limits };
    this.troubles = new Troubles(this, scenario.troubles);
    this.hosts = { source: new SimulatedHost('source', this), target: new SimulatedHost('target', this) };
    this.network = new Network(this.timeline, this.random, scenario.link);
    this.operators = new Operators(this);
    this.timeline.onHappened = () => this.troubles.clock.noteHappening();
    this.network.onFrame = (bytes) => this.troubles.clock.noteFrame(bytes);
    this.network.onTaken = (bytes, by) => {
      if (by === this.target && nameOfFrame(bytes) === 'refuse') this.#refused = this.receiver;
    };
  }

  /** Name of the migration under way, or of the last one. */
  migration = FIRST;

  get isCalm(): boolean {
    return this.troubles.isCalm;
  }

  get givesNumbersAgain(): boolean {
    return this.scenario.givesNumbersAgain;
  }

  recordOf(host: HostName): string {
    return recordPath(RECORDS, this.migration, host);
  }

  get isSourceDone(): boolean {
    return this.report !== undefined || this.refusal !== undefined || this.migrating?.isGone === true;
  }

  /** Runs the scenario until nothing happens any more. */
  async run(): Promise<void> {
    this.begin();
    await this.timeline.run(() => this.isSourceDone && this.troubles.clock.areOver, this.random.pick([3000, 90_000]));
    await this.#settle();
  }

  /** Ends all faults, and lets waiting processes end by themselves or by operators. */
  async #settle(): Promise<void> {
    this.troubles.isCalm = true;
    const { clearAt } = this.network;
    this.network.part(0);
    for (const host of Object.values(this.hosts)) if (!host.isUp) host.restart();
    this.startTargetAgain();
    this.becomeCalm();
    // Operators ask only once no process is stopped and nothing is under way: until then, the target may still promise
    // to run the machine.
    const wake = Math.max(clearAt, this.awakeAt);
    if (wake > this.timeline.now) await this.timeline.run(() => false, wake - this.timeline.now + 1);
    const waits = () => !this.isSourceDone || this.receiver?.hasPromised === true;
    await this.timeline.run(() => !waits(), 200_000);
    if (this.#waitsInVain)
      this.faults.push('the target waits, although it was told that the machine stays at the source');
    if (this.#waitsForTarget && [...this.troubles.had].every((kind) => PASSING.has(kind)))
      this.faults.push('the source waits for operators, although its target is there');
    for (let asks = 0; asks < 6 && (waits() || asks < 2); asks++) {
      await this.operators.ask(asks % 2 === 0 ? 'source' : 'target', 'fresh');
      await this.timeline.run(() => false, 3000);
    }
    // A guest that writes more than the link takes goes on until its time limit.
    await this.timeline.run(() => !waits(), DEFAULT_LIMITS.timeLimitMs + 15 * 60_000);
    // Ended migrations close their connections.
    await this.timeline.run(() => false, 120_000);
  }

  /**
   * The target waits although it was told that its machine stays. A target that was stopped is no fault: it may have
   * given the link up before it read the message.
   */
  get #waitsInVain(): boolean {
    const wasTold = this.receiver === this.#refused && !this.troubles.had.has('lie') && !this.troubles.had.has('stop');
    return wasTold && this.receiver?.hasPromised === true && !this.target?.isGone;
  }

  /** The source has handed the machine over, and does not know whether the target has it. */
  get #waitsForTarget(): boolean {
    const record = this.hosts.source.files.names.get(this.recordOf('source'));
    return !this.isSourceDone && this.targetIsThere && record?.bytes.includes('"handed-over"') === true;
  }

  /** Starts the first processes. */
  protected abstract begin(): void;

  /** Runs the target's program, which waits for the machine. */
  protected abstract receive(process: SimulatedProcess): Promise<void>;

  /** The target's process answers the source as long as it has to. */
  protected get targetIsThere(): boolean {
    return true;
  }

  /** Time from which on no process is stopped any more. */
  protected get awakeAt(): number {
    return Math.max(...[this.source, this.target].map((process) => process?.stoppedUntil ?? 0));
  }

  /** Acts as users do without being asked once nothing goes wrong any more. */
  protected becomeCalm(): void {}

  abstract follow(survivor: HostName): void;

  /** Violations of the rules, in words. */
  get faults(): string[] {
    return this.guest.faults;
  }

  /** Prepares for another migration, which nobody has cancelled yet. */
  protected beginAnew(migration: string): void {
    this.migration = migration;
    this.#cancel = new AbortController();
    this.operators.beginAnew();
    [this.report, this.refusal, this.targetHasEnded] = [undefined, undefined, false];
  }

  /** Migrates the machine. @param log of its decisions */
  protected async migrate(
    process: SimulatedProcess,
    machine: SourceMachine,
    log = new DecisionFile(RECORDS, { side: 'source', migration: this.migration, machine: 'vm', peer: 'target' }),
  ): Promise<void> {
    const { migration } = this;
    const { streams, compression, proof, resumeWithinMs, timeOuts } = this.scenario;
    try {
      this.report = await migrate(machine, {
        connect: (signal) => this.network.connect(process, signal),
        migration,
        log,
        limits: this.limits,
        streams,
        compression,
        proof,
        resumeWithinMs,
        timeOuts,
        signal: this.#cancel.signal,
        keepAsItWas: async () => '/machines/kept.sav',
      });
    } catch (error) {
      if (!(error instanceof SavkitError)) this.faults.push(`an error inside: ${(error as Error).stack}`);
      this.refusal = error as SavkitError;
    }
  }

  startTargetAgain(): void {
    if (this.target?.isGone && !this.targetHasEnded && !this.scenario.staysKilled) this.startTarget();
  }

  startTarget(): void {
    const process = this.hosts.target.start();
    this.target = process;
    this.timeline.add(0, process, () => void this.receive(process));
  }

  /** Options of the receiver, as the command line sets them. */
  protected get receiverOptions(): ReceiverOptions {
    const { keepMs, timeOuts } = this.scenario;
    return {
      logFor: (migration) => new DecisionFile(RECORDS, { side: 'target', migration, machine: '', peer: '' }),
      recall: (migration) => recallTarget(RECORDS, migration),
      keepMs,
      timeOuts,
      streams: 16,
    };
  }

  /** Takes connections for a receiver. */
  protected listen(process: SimulatedProcess, receiver: Receiver<M>): void {
    this.receiver = receiver;
    this.network.listener = { process, accept: (stream, peer) => void receiver.accept(stream, peer) };
  }

  /** Ends the target's program. */
  protected async close(process: SimulatedProcess, receiver: Receiver<M>): Promise<void> {
    await receiver.close();
    if (this.network.listener?.process === process) this.network.listener = undefined;
    this.targetHasEnded = true;
    process.endWhenIdle();
  }

  diskFault(host: SimulatedHost, work: DiskWork, path: string): string | undefined {
    if (IN_MEMORY.test(path)) return undefined;
    return this.troubles.diskFault(host.name, work);
  }

  cause(trouble: Incident): unknown {
    return this.troubles.cause(trouble);
  }

  cancel(): void {
    this.#cancel.abort();
  }
}
