import { SavkitError } from '../../formats/errors.ts';
import { DiskRefusals } from '../../formats/testing/disk-refusals.ts';
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
import { IncidentClock, nameOfFrame } from './incident-clock.ts';
import { Network } from './network.ts';
import { type Ground, Operators } from './operators.ts';
import type { HostName, Incident, Scenario } from './scenario.ts';
import type { GuestOwner } from './simulated-guest.ts';
import { RECORDS, SimulatedHost, type SimulatedProcess, type Surroundings } from './simulated-process.ts';
import { Timeline } from './timeline.ts';

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
  /** Nothing goes wrong any more. */
  isCalm = false;
  /** Kinds of troubles that have occurred. */
  readonly had = new Set<Incident['kind']>();
  /** Troubles that have occurred, with their times. */
  readonly log: string[] = [];
  readonly #limits: Partial<MigrationLimits>;
  /** Cancels the migration under way. */
  #cancel = new AbortController();
  protected readonly incidents: IncidentClock;
  /** The process that migrates the machine. */
  protected migrating: SimulatedProcess | undefined;
  /** Receiver that was told that its machine stays at the source. */
  #refused: Receiver<M> | undefined;
  readonly #refusals = new DiskRefusals('read', 'unlink');
  /** Host whose disk refuses work. */
  #failing: HostName | undefined;

  constructor(scenario: Scenario) {
    this.scenario = scenario;
    this.random = new Random(scenario.seed);
    this.#limits = { ...scenario.limits };
    this.incidents = new IncidentClock(scenario.troubles, (trouble) => this.#onDue(trouble));
    this.hosts = { source: new SimulatedHost('source', this), target: new SimulatedHost('target', this) };
    this.network = new Network(this.timeline, this.random, scenario.link);
    this.operators = new Operators(this);
    this.timeline.onHappened = () => this.incidents.noteHappening();
    this.network.onFrame = (bytes) => this.incidents.noteFrame(bytes);
    this.network.onTaken = (bytes, by) => {
      if (by === this.target && nameOfFrame(bytes) === 'refuse') this.#refused = this.receiver;
    };
  }

  /** Name of the migration under way, or of the last one. */
  migration = FIRST;

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
    await this.timeline.run(() => this.isSourceDone && this.incidents.areOver, this.random.pick([3000, 90_000]));
    await this.#settle();
  }

  /** Ends all faults, and lets waiting processes end by themselves or by operators. */
  async #settle(): Promise<void> {
    this.isCalm = true;
    const { clearAt } = this.network;
    this.network.part(0);
    for (const host of Object.values(this.hosts)) if (!host.isUp) host.restart();
    this.#startTargetAgain();
    this.becomeCalm();
    // Operators ask only once no process is stopped and nothing is under way: until then, the target may still promise
    // to run the machine.
    const wake = Math.max(clearAt, this.awakeAt);
    if (wake > this.timeline.now) await this.timeline.run(() => false, wake - this.timeline.now + 1);
    const waits = () => !this.isSourceDone || this.receiver?.hasPromised === true;
    await this.timeline.run(() => !waits(), 200_000);
    if (this.#waitsInVain)
      this.faults.push('the target waits, although it was told that the machine stays at the source');
    if (this.#waitsForTarget && [...this.had].every((kind) => PASSING.has(kind)))
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
    const wasTold = this.receiver === this.#refused && !this.had.has('lie') && !this.had.has('stop');
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
        limits: this.#limits,
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

  #startTargetAgain(): void {
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
    this.incidents.noteDiskWork(host.name);
    return this.isCalm || this.#failing !== host.name ? undefined : this.#refusals.refuse(work);
  }

  #onDue(trouble: Incident): void {
    if (this.isCalm) return;
    const ms = 'ms' in trouble.at ? trouble.at.ms : 0;
    this.timeline.add(ms, undefined, () => {
      if (this.isCalm) return;
      this.had.add(trouble.kind);
      this.log.push(`${this.timeline.now.toFixed(1)} ms: ${JSON.stringify(trouble)}`);
      this.cause(trouble);
    });
  }

  protected cause(trouble: Incident): unknown {
    switch (trouble.kind) {
      case 'kill':
      case 'crash':
        return this.#end(trouble);
      case 'stop':
        return this[trouble.host]?.stop(trouble.ms);
      case 'cut':
        return this.network.cut(trouble.heardBy);
      case 'part':
        return this.network.part(trouble.ms);
      case 'disk':
        this.#failing = trouble.host;
        this.#refusals.begin(trouble);
        return undefined;
      case 'clock':
        this.hosts[trouble.host].clockError += trouble.byMs;
        return undefined;
      case 'lie':
        this.network.lie = trouble.how;
        return undefined;
      case 'limits':
        Object.assign(this.#limits, trouble.limits);
        return undefined;
      case 'cancel':
        // Only the process that migrates can be cancelled, not a later one in its place.
        if (this.migrating) this.timeline.add(0, this.migrating, () => this.#cancel.abort());
        return undefined;
      case 'close':
        if (this.target) this.timeline.add(0, this.target, () => void this.receiver?.close());
        return undefined;
      case 'copy':
        return this.operators.copy(trouble.host);
      case 'resolve':
        void this.operators.ask(trouble.host, trouble.withCopy ? 'any' : 'none');
        return undefined;
      default:
        return undefined;
    }
  }

  /**
   * Ends a process. A user restarts a target that was waiting for a machine; a source is restarted after somebody has
   * asked which side has the machine.
   */
  #end(trouble: Extract<Incident, { kind: 'kill' | 'crash' }>): void {
    const host = this.hosts[trouble.host];
    if (!host.isUp) return;
    if (trouble.kind === 'crash') host.crash();
    else this[trouble.host]?.end('killed');
    if (this.scenario.asksAtOnce)
      this.timeline.add(trouble.backAfterMs / 2, undefined, () => this.operators.ask(trouble.host, 'none'));
    this.timeline.add(trouble.backAfterMs, undefined, () => {
      if (!host.isUp) host.restart();
      if (trouble.host === 'target' && !this.isCalm) this.#startTargetAgain();
    });
  }
}
