import { tmpdir } from 'node:os';
import { SavkitError } from '../../../formats/errors.ts';
import { PAGE_SIZE } from '../../../formats/sizes.ts';
import { type CommandLine, parseCommand, wordsOf } from '../../../src/saved-state/qemu-check/command-words.ts';
import type { ReceiverOptions } from '../../arrival/receiver.ts';
import { Receiver } from '../../arrival/receiver.ts';
import { learnGuestFacts } from '../../guests/guest-facts.ts';
import { hindrancesOf } from '../../guests/hindrances.ts';
import { QemuHost } from '../../guests/qemu-host.ts';
import { QemuSource } from '../../guests/qemu-source.ts';
import type { QemuTarget } from '../../guests/qemu-target.ts';
import { reachGuest } from '../../guests/reach-guest.ts';
import { type PlacedRecord, settleGuest } from '../../guests/settle/settle-guest.ts';
import { DecisionFile, readRecord, recordPath } from '../../hand-over/decision-record.ts';
import type { ResolvedRecords } from '../../hand-over/resolve-files.ts';
import { MigrationError } from '../../wire/migration-error.ts';
import { FIRST, Play } from '../play.ts';
import type { Incident } from '../scenario.ts';
import { SimulatedGuest } from '../simulated-guest.ts';
import { RECORDS, type SimulatedHost, type SimulatedProcess } from '../world/simulated-process.ts';
import type { HostName } from '../world/simulated-socket.ts';
import { FurtherMigration } from './again.ts';
import { SECTORS } from './disk-copies.ts';
import { endsWithSavkit } from './ends-with-savkit.ts';
import type { GuestScenario } from './guest-scenario.ts';
import { leavingFaults } from './leaving-faults.ts';
import { QemuTroubles } from './qemu-troubles.ts';
import { type QemuSurroundings, SimulatedQemu } from './simulated-qemu.ts';
import { Watchdogs } from './watchdogs.ts';
import { watchWrites } from './write-watcher.ts';

/** Name of a migration after the one whose savkit was killed. */
const NEXT = 'ffeeddccbbaa99887766554433221100';
const PROGRAM = 'qemu-system-x86_64';
const QMP = '/run/vm.qmp';
const MEMORY = '/dev/shm';
/** Time until a target that was started takes connections. */
const AGAIN_MS = 100;
/** The world of a scenario in which a guest of QEMU moves: a QEMU on each host, which outlives savkit's processes. */
export class GuestPlay extends Play<QemuTarget> implements QemuSurroundings {
  readonly guest: SimulatedGuest<SimulatedQemu>;
  readonly qemus: SimulatedQemu[] = [];
  readonly disks: readonly Uint8Array[];
  readonly areOld: boolean;
  readonly joinsAnswers: boolean;
  /** Settlements of `--resolve`, in words. */
  readonly settlements: string[] = [];
  /** Hosts on which savkit has said that settings of a QEMU may stay as they are. */
  readonly toldOfSettings = new Set<HostName>();
  readonly #scenario: GuestScenario;
  readonly #watchdogs = new Watchdogs(this);
  #targetLog: DecisionFile | undefined;
  readonly #troubles = new QemuTroubles(this);
  readonly further = new FurtherMigration(this, () => this.#beginAgain());

  constructor(scenario: GuestScenario) {
    super(scenario);
    this.#scenario = scenario;
    this.areOld = scenario.areOld;
    this.joinsAnswers = scenario.joinsAnswers;
    this.disks = Array.from({ length: scenario.copiesDisks ? scenario.disks : 0 }, (_, disk) =>
      Uint8Array.from({ length: SECTORS }, (_, i) => i + 1 + 50 * disk),
    );
    this.guest = new SimulatedGuest<SimulatedQemu>(scenario, this.random);
    for (const host of Object.values(this.hosts)) {
      for (const folder of [MEMORY, '/run', tmpdir()]) host.files.folders.add(folder);
      host.programs.known.set(PROGRAM, (process, words) => void this.#startQemu(process, words));
      if (scenario.hasWatchdog) host.programs.known.set('sh', endsWithSavkit);
      this.#canNoteWrites(host);
    }
  }

  /** Gives a host a compiler, and the program that it makes. */
  #canNoteWrites({ programs, files }: SimulatedHost): void {
    const { watchFault: fault } = this.#scenario;
    if (fault?.how === 'no-compiler') return;
    programs.tools.set(process.env.CC ?? 'cc', (words) => void files.create(words[words.indexOf('-o') + 1]));
    programs.known.set('write-watch', (own, [pid], input) => {
      const watched = this.qemus.find((qemu) => qemu.process === own.host.running.get(Number(pid)));
      watchWrites(own, { watched, fault }, input);
    });
  }

  protected begin(): void {
    const words = wordsOf(
      `${commandWith('vm', { isPrivate: this.#scenario.isPrivate })} -qmp unix:${QMP},server=on,wait=off`,
    );
    const process = this.hosts.source.start(words);
    process.do(() => {
      const qemu = this.#startQemu(process, words);
      qemu.memory.set(this.guest.truth);
      for (const [i, disk] of this.disks.entries()) qemu.disks[i].set(disk);
      if (!this.scenario.isPaused) qemu.cont();
    });
    this.startTarget();
    const savkit = this.#savkitAt(this.hosts.source);
    [this.source, this.migrating] = [savkit, savkit];
    this.timeline.add(this.random.below(100), savkit, () => void this.#leave(savkit));
  }

  override get isSourceDone(): boolean {
    return super.isSourceDone && !this.further.isPlanned;
  }

  protected override becomeCalm(): void {
    this.further.isPlanned = false;
  }

  runAtSource<T>(program: () => Promise<T>): Promise<T | undefined> {
    const process = this.#savkitAt(this.hosts.source);
    return new Promise((resolve) => {
      process.atEnd(() => resolve(undefined));
      this.timeline.add(
        0,
        process,
        () =>
          void program()
            .then(resolve)
            .finally(() => process.endWhenIdle()),
      );
    });
  }

  #beginAgain(): void {
    this.beginAnew(NEXT);
    this.startTarget();
    const savkit = this.#savkitAt(this.hosts.source);
    [this.source, this.migrating] = [savkit, savkit];
    this.timeline.add(AGAIN_MS, savkit, () => void this.#leave(savkit));
  }

  /**
   * Runs the scenario, and waits for targets, which keep a machine that has arrived for a while after their link was
   * lost.
   */
  override async run(): Promise<void> {
    await super.run();
    const isOver = () => {
      const living = this.qemus.filter(({ process }) => !process.isGone);
      return living.length < 2 && living.every(({ status }) => status !== 'inmigrate');
    };
    await this.timeline.run(isOver, this.scenario.keepMs + 10_000);
    await this.timeline.run(() => false, 5000);
    // By now operators may finish the work that processes have left.
    await this.further.askAboutFirst();
    for (const side of ['source', 'target'] as const) await this.operators.ask(side, 'fresh');
    await this.timeline.run(() => false, 5000);
  }

  #startQemu(process: SimulatedProcess, words: readonly string[]): SimulatedQemu {
    const qemu = new SimulatedQemu(process, words, this);
    this.qemus.push(qemu);
    return qemu;
  }

  /** QEMUs that live. */
  at(host: SimulatedHost): SimulatedQemu[] {
    return this.qemus.filter(({ process }) => process.host === host && !process.isGone);
  }

  /** Starts a process of savkit, which sees the memory of a guest as the guest has written it by then. */
  #savkitAt(host: SimulatedHost, process = host.start()): SimulatedProcess {
    const catchUp = (now: number) => {
      for (const qemu of this.at(host)) qemu.catchUp(now);
    };
    process.guest = { catchUp, holdUntil: () => {} };
    return process;
  }

  /** Migrates the guest as `savkit migrate` does. */
  async #leave(process: SimulatedProcess): Promise<void> {
    try {
      const reached = await reachGuest(QMP);
      try {
        const facts = await learnGuestFacts(reached.qmp, reached.process);
        const hindrance = hindrancesOf(facts, { areShared: false, areMirrored: this.#scenario.copiesDisks }).find(
          ({ isFatal }) => isFatal,
        );
        if (hindrance) throw new MigrationError('hindered', hindrance.message);
        const source = QemuSource.open(reached.qmp, facts, {
          copiesDisks: this.#scenario.copiesDisks,
          notesWrites: this.#scenario.notesWrites,
          onSettingsLeft: () => this.toldOfSettings.add('source'),
        });
        const head = { side: 'source', migration: this.migration, machine: 'vm', peer: 'target' } as const;
        const log = new DecisionFile(RECORDS, head);
        log.runsIn({ pid: facts.process?.pid ?? 0, qmp: QMP, ram: source.ramPaths, settings: facts.settings });
        if (this.#scenario.hasWatchdog) this.#watchdogs.watch(process);
        await this.migrate(process, source, log).finally(() => source.close());
      } finally {
        reached.close();
      }
    } catch (error) {
      if (!(error instanceof SavkitError)) this.faults.push(`an error inside: ${(error as Error).stack}`);
      this.refusal = error as SavkitError;
    }
    this.#watchdogs.dismiss(process);
    this.#checkAtEnd(process);
    process.endWhenIdle();
  }

  /** To be called when savkit's program has returned; its connections to QEMU may still be open. */
  #checkAtEnd(process: SimulatedProcess): void {
    process.atEnd(() => {
      if (process.hasEndedByItself) this.faults.push(...leavingFaults(this, process.host));
    });
  }

  protected override get receiverOptions(): ReceiverOptions {
    const options = super.receiverOptions;
    const logFor = (migration: string) => {
      this.#targetLog = new DecisionFile(RECORDS, { side: 'target', migration, machine: '', peer: '' });
      return this.#targetLog;
    };
    return { ...options, logFor };
  }

  /** Receives a guest as `savkit receive` does. */
  protected async receive(process: SimulatedProcess): Promise<void> {
    this.#savkitAt(this.hosts.target, process);
    const host = new QemuHost({
      command: this.#targetCommand(),
      maxBytes: 2 ** 30,
      onStarted: (target) => {
        const { pid, qmpPath: qmp } = target.process;
        this.#targetLog?.runsIn({ pid, qmp, ram: target.ramPaths, settings: target.settings });
        if (this.#scenario.hasWatchdog) this.#watchdogs.watch(process);
      },
      onSettingsLeft: () => this.toldOfSettings.add('target'),
    });
    const receiver = await Receiver.create<QemuTarget>(host, this.receiverOptions);
    this.listen(process, receiver);
    try {
      (await receiver.arrived).close();
    } catch (error) {
      if (!(error instanceof SavkitError)) this.faults.push(`an error inside the target: ${(error as Error).stack}`);
    }
    this.#checkAtEnd(process);
    await this.close(process, receiver);
    this.#watchdogs.dismiss(process);
  }

  /** The target waits a minute for a source that has to learn that its guest runs; its QEMU goes on without it. */
  protected override get targetIsThere(): boolean {
    return !this.targetHasEnded;
  }

  protected override get awakeAt(): number {
    return Math.max(
      super.awakeAt,
      ...this.qemus.map(({ process, qmp }) => Math.max(process.stoppedUntil, qmp.heldUntil)),
    );
  }

  /** Each target has memory of its own, since that of an earlier one may still be there. */
  #targetCommand(): CommandLine {
    return parseCommand(wordsOf(commandWith(`target-${this.qemus.length}`, this.scenario)));
  }

  /** Carries a decision out as `savkit migrate --resolve` does. */
  async carryOut({ own, peer, resolution }: ResolvedRecords): Promise<void> {
    const others = () => this.recordsAt(own.side);
    for (const record of peer ? [own, peer] : [own]) {
      const isSurvivor = record.side === resolution.survivor;
      const settled = await settleGuest(record, record === own, { isSurvivor, others });
      if (settled) this.settlements.push(`${settled.side}: ${settled.settlement} ${settled.message}`);
    }
  }

  /** All records of a host, of both migrations. */
  async recordsAt(side: HostName): Promise<PlacedRecord[]> {
    const found: PlacedRecord[] = [];
    for (const migration of [FIRST, NEXT]) {
      const path = recordPath(RECORDS, migration, side);
      await readRecord(path).then(
        (record) => found.push({ record, path }),
        () => {},
      );
    }
    return found;
  }

  follow(): void {}

  /** Compares disks with the guest's, unless a frame was changed on its way: only TLS would find that. */
  checkDisks({ disks, process }: SimulatedQemu): void {
    if (this.troubles.had.has('lie')) return;
    for (const [i, disk] of disks.entries())
      if (Buffer.compare(this.disks[i], disk) !== 0)
        this.faults.push(`disk ${i} at the ${process.host.name} is not as the guest left it`);
  }

  onCommand(qemu: SimulatedQemu, command: string): string | undefined {
    this.troubles.clock.noteCommand(qemu.process.host.name, command);
    return this.#troubles.onCommand(qemu, command);
  }

  /** Users have brought about a violation that savkit could not prevent. */
  get isExcused(): boolean {
    return this.#troubles.areUsersFault;
  }

  override cause(trouble: Incident): unknown {
    if (trouble.kind === 'qemu') return this.#troubles.cause(trouble);
    const found = super.cause(trouble);
    if (trouble.kind === 'crash') this.#forgetMemory(this.hosts[trouble.host]);
    if (trouble.kind === 'kill' && trouble.host === 'source' && this.#scenario.migratesAgain)
      this.further.plan(trouble.backAfterMs, {
        ...{ qmp: QMP, asks: this.#scenario.asksFirst },
        isThere: () => this.at(this.hosts.source).length > 0,
      });
    return found;
  }

  /** Removes memory files and sockets, which do not outlive a crash of their host. */
  #forgetMemory({ files, name }: SimulatedHost): void {
    for (const qemu of this.qemus) if (qemu.process.host.name === name) qemu.wasEnded ||= !qemu.hasQuit;
    for (const path of files.names.keys()) if (/^\/(dev|run)\//.test(path)) files.change([path, undefined]);
  }
}

/** A command line. @param name of the file that has its memory in the simulation, also where it is not shared */
function commandWith(name: string, { pages = 1, isPrivate = false }): string {
  const kind = isPrivate ? 'memory-backend-ram,share=off' : 'memory-backend-file,share=on';
  const memory = `${kind},id=pc.ram,size=${pages * PAGE_SIZE},mem-path=${MEMORY}/${name}`;
  return `${PROGRAM} -object ${memory} -machine pc-i440fx-7.2,memory-backend=pc.ram`;
}
