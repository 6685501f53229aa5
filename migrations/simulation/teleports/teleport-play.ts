import type { Socket } from 'node:net';
import { SavkitError } from '../../../formats/errors.ts';
import { openFileSink, writeFileSink } from '../../../formats/files/sink.ts';
import { Random } from '../../../formats/testing/random.ts';
import type { DiskWork } from '../../../formats/testing/simulated-disk.ts';
import { sleep } from '../../../formats/world/waiting.ts';
import type { Machine } from '../../../src/machine/machine.ts';
import type { MachineState } from '../../../src/machine/machine-states.ts';
import { RunningMachine } from '../../../src/running/running-machine.ts';
import { authenticate } from '../../teleporter/await-source.ts';
import { KEEP_ALIVE_MS, Peer } from '../../teleporter/peer.ts';
import { receiveState } from '../../teleporter/receive.ts';
import { relayMachine } from '../../teleporter/relay.ts';
import { teleportRunning } from '../../teleporter/teleport-running.ts';
import { passwordLine } from '../../teleporter/wire.ts';
import { Network } from '../network.ts';
import { type Standing, standingOf } from '../saved-file.ts';
import type { UserAct } from '../saves/save-scenario.ts';
import type { HostName } from '../scenario.ts';
import { SimulatedHost, type SimulatedProcess, type Surroundings } from '../simulated-process.ts';
import { Timeline } from '../timeline.ts';
import type { TeleportScenario, TeleportTrouble } from './teleport-scenario.ts';
import { TeleportTroubles } from './teleport-troubles.ts';

/** Where the target writes. */
export const PATH = '/machines/vm.sav';
/** What stood there before. */
export const OLD = 'another file';
const PASSWORD = 'simulated';
/** A user who sees a program fail starts it again after this time at most. */
const AGAIN_MS = 2000;
/** Longest life of a play: no wait of the protocol is longer, but for that of a link that is gone. */
const PATIENCE_MS = 10 * 60_000;

/** How a try of the source has ended: `handed-over`, or the code of its error. */
export type SourceEnd = 'handed-over' | (string & {});
/** How one of the target has ended: `handed-over`, `declined`, or the code of its error. */
export type TargetEnd = 'handed-over' | 'declined' | (string & {});

/** A machine that is teleported into a file on another host, while all kinds of things happen. */
export class TeleportPlay implements Surroundings {
  readonly scenario: TeleportScenario;
  readonly timeline = new Timeline();
  readonly random: Random;
  readonly hosts: Record<HostName, SimulatedHost>;
  readonly givesNumbersAgain = false;
  /** What must not be. */
  readonly faults: string[] = [];
  readonly sourceEnds: SourceEnd[] = [];
  readonly targetEnds: TargetEnd[] = [];
  /** The machine as it stood when a try had sent it; the last one last. */
  readonly sent: Standing[] = [];
  /** In the end the machine ran where it had been. */
  runsAtSource = false;
  readonly troubles: TeleportTroubles;
  readonly #machine: Machine;
  readonly #links: Network[];
  #running!: RunningMachine;
  #source!: SimulatedProcess;
  #target!: SimulatedProcess;
  #relay: SimulatedProcess | undefined;
  /** How the machine is if nobody teleports it. */
  #wanted: MachineState = 'running';
  #abort: Partial<Record<HostName, AbortController>> = {};
  #isSourceOver = false;
  #isTargetOver = false;
  /** Its program waits for a source. */
  #isTargetWaiting = false;

  constructor(scenario: TeleportScenario, machine: Machine) {
    this.scenario = scenario;
    this.random = new Random(scenario.seed);
    this.#machine = machine;
    this.troubles = new TeleportTroubles(scenario.troubles, this.timeline, (trouble) => this.#cause(trouble));
    this.hosts = { source: new SimulatedHost('source', this), target: new SimulatedHost('target', this) };
    this.#links = Array.from({ length: scenario.isRelayed ? 2 : 1 }, () => {
      const link = new Network(this.timeline, this.random, scenario.link);
      link.onFrame = (bytes) => this.troubles.noteSent(bytes);
      return link;
    });
  }

  /** What stands under the name. */
  get file(): Buffer | undefined {
    return this.hosts.target.files.names.get(PATH)?.bytes;
  }

  get isSourceGone(): boolean {
    return this.#source.isGone;
  }

  async run(): Promise<void> {
    if (this.scenario.replaces) await this.#writeOld();
    this.#startRelay();
    this.#startTarget();
    this.#startSource();
    this.troubles.begin();
    await this.timeline.run(() => this.#isSourceOver || this.#source.isGone, PATIENCE_MS);
    const isStuck = !this.#isSourceOver && !this.#source.isGone;
    // A newline that was changed on its way is waited for; the protocol has no time-outs.
    if (isStuck && this.troubles.had.has('flip')) {
      this.#source.end('killed');
      this.#target.end('killed');
    } else if (isStuck) this.faults.push('the source comes to no end');
    this.troubles.cease();
    const isThere = this.sourceEnds.at(-1) === 'handed-over';
    this.runsAtSource = !this.#source.isGone && !isThere && this.#running.state === 'running';
    this.timeline.add(0, this.#source, () => this.#switchOff());
    await this.#settle();
  }

  async #writeOld(): Promise<void> {
    const process = this.hosts.target.start();
    let isWritten = false;
    const write = () => writeFileSink(PATH, {}, (sink) => sink.write(Buffer.from(OLD)));
    this.timeline.add(0, process, () => void write().then(() => (isWritten = true)));
    await this.timeline.run(() => isWritten, 10_000);
    process.end('killed');
  }

  /** What waits comes to its end; then nothing may be left but the file. */
  async #settle(): Promise<void> {
    const isTargetAtWork = () => !this.#target.isGone && this.#abort.target !== undefined;
    await this.timeline.run(() => !isTargetAtWork(), PATIENCE_MS);
    if (isTargetAtWork() && this.troubles.had.has('flip')) this.#target.end('killed');
    else if (isTargetAtWork()) this.faults.push('the target comes to no end');
    this.#isTargetOver = true;
    await this.timeline.run(() => false, 120_000);
    if (!this.#source.isGone) this.#lookForRests(this.#source);
    if (!this.#target.isGone && !this.#isTargetWaiting) this.#lookForRests(this.#target);
    this.#target.end('killed');
    if (!this.hosts.target.isUp) this.hosts.target.restart();
    await this.#writeOther();
    for (const path of this.hosts.target.files.names.keys())
      if (path !== PATH && path !== OTHER) this.faults.push(`${path} is left behind`);
  }

  #lookForRests(process: SimulatedProcess): void {
    const { name } = process.host;
    for (const path of process.files.openFiles) this.faults.push(`${path} is left open at the ${name}`);
    if (process.timers.size > 0) this.faults.push(`${process.timers.size} timers are left at the ${name}`);
    if (process.sockets.size > 0) this.faults.push(`${process.sockets.size} connections are left at the ${name}`);
  }

  /** Whatever writes into the folder next removes what has been left there. */
  async #writeOther(): Promise<void> {
    const process = this.hosts.target.start();
    let isWritten = false;
    const write = async () => {
      await openFileSink(PATH, { force: true }).then((sink) => sink.abort());
      await writeFileSink(OTHER, {}, (sink) => sink.write(Buffer.from('other')));
      isWritten = true;
    };
    this.timeline.add(0, process, () => void write());
    await this.timeline.run(() => isWritten, 60_000);
    if (!isWritten) this.faults.push('nothing can be written afterwards');
  }

  #startSource(): void {
    const process = this.hosts.source.start();
    this.#source = process;
    process.do(() => {
      this.#running = RunningMachine.of(this.#machine, this.scenario.workload);
      this.#running.resume();
      if (this.scenario.isPausedBefore) this.#act('suspend');
    });
    this.timeline.add(this.random.below(500), process, () => {
      this.#sendAll().catch((error: Error) => this.faults.push(`an error inside: ${error.stack}`));
    });
  }

  async #sendAll(): Promise<void> {
    for (let i = 0; i < this.scenario.tries; i++) {
      const end = await this.#send();
      this.sourceEnds.push(end);
      this.#judgeMachine(end);
      if (this.scenario.declines && end === 'refused-by-target') break;
      if (['handed-over', 'hand-over-unknown', 'machine-ended'].includes(end) || this.#wanted === 'off') break;
      await sleep(this.random.below(AGAIN_MS));
    }
    this.#isSourceOver = true;
  }

  async #send(): Promise<SourceEnd> {
    const abort = new AbortController();
    this.#abort.source = abort;
    let peer: Peer | undefined;
    try {
      const socket = await this.#links[0].connect(this.#source, abort.signal);
      peer = new Peer(socket.setKeepAlive(true, KEEP_ALIVE_MS), 'target', abort.signal);
      await teleportRunning(peer, this.#running, {
        password: passwordLine(PASSWORD, 'hashed'),
        paused: this.scenario.paused,
        maxDowntimeMs: this.scenario.maxDowntimeMs,
        signal: abort.signal,
        onStep: (step) => this.#atStep(step),
      });
      return 'handed-over';
    } catch (error) {
      if (!(error instanceof SavkitError)) throw error;
      return error.code;
    } finally {
      this.#abort.source = undefined;
      await peer?.close();
    }
  }

  /** From the end of the stream to the hand-over the machine stands. */
  #atStep(step: string): void {
    if (step === 'load-complete') this.sent.push(standingOf(this.#running));
    if (step === 'hand-over') this.#judgeStanding('is handed over');
  }

  #judgeStanding(when: string): void {
    const [now, sent] = [standingOf(this.#running), this.sent.at(-1)];
    if (now.digest !== sent?.digest || now.steps !== sent.steps)
      this.faults.push(`the machine that ${when} is not the one that was sent: ${now.steps} steps, ${sent?.steps}`);
  }

  /** A machine that stays is as if nobody had teleported it; one that was handed over stands for good. */
  #judgeMachine(end: SourceEnd): void {
    const { state, memory } = this.#running;
    if (end === 'handed-over') {
      this.#judgeStanding('was handed over');
      return;
    }
    const { monitored, writtenTo } = memory.pages.counts;
    if (end === 'hand-over-unknown') this.#wanted = this.#wanted === 'running' ? 'suspended' : this.#wanted;
    if (state !== this.#wanted) this.faults.push(`after ${end} the machine is ${state} instead of ${this.#wanted}`);
    if (monitored + writtenTo > 0 || memory.monitor.user !== undefined)
      this.faults.push(`after ${end} ${monitored} pages are monitored, ${writtenTo} noted`);
    const [fault] = this.#running.selfCheck().faults;
    if (fault) this.faults.push(`after ${end} ${fault.what} ${fault.place} is ${fault.found}, not ${fault.expected}`);
  }

  #switchOff(): void {
    this.#isSourceOver = true;
    if (this.runsAtSource) this.#running.stop();
  }

  #startRelay(): void {
    const [first, second] = this.#links;
    if (second === undefined) return;
    const process = new SimulatedHost('target', this).start();
    this.#relay = process;
    const carry = async (stream: Socket) => {
      const source = new Peer(stream.setKeepAlive(true, KEEP_ALIVE_MS), 'source');
      try {
        const target = new Peer((await second.connect(process)).setKeepAlive(true, KEEP_ALIVE_MS), 'target');
        await relayMachine(source, target);
      } catch (error) {
        source.destroy();
        if (!(error instanceof SavkitError)) this.faults.push(`an error inside the relay: ${(error as Error).stack}`);
      }
    };
    first.listener = { process, accept: (stream) => void carry(stream) };
  }

  /** A user's program that waits for one source. */
  #startTarget(): void {
    const process = this.hosts.target.start();
    this.#target = process;
    this.timeline.add(0, process, () => {
      void this.#receive(process)
        .catch((error: Error) => {
          if (!(error instanceof SavkitError)) this.faults.push(`an error inside the target: ${error.stack}`);
          return (error as SavkitError).code;
        })
        .then((end) => {
          this.targetEnds.push(end);
          this.#abort.target = undefined;
          process.endWhenIdle();
          if (end !== 'handed-over' && end !== 'declined') this.#startTargetSoon();
        });
    });
  }

  #startTargetSoon(): void {
    this.timeline.add(this.random.below(AGAIN_MS), undefined, () => {
      if (this.#isSourceOver || this.#isTargetOver) return;
      if (!this.hosts.target.isUp) this.hosts.target.restart();
      if (this.#target.isGone) this.#startTarget();
      else this.#startTargetSoon();
    });
  }

  async #receive(process: SimulatedProcess): Promise<TargetEnd> {
    const abort = new AbortController();
    const sink = await openFileSink(PATH, { force: this.scenario.replaces });
    try {
      const peer = await this.#nextSource(process, abort.signal);
      this.#abort.target = abort;
      try {
        const ending = this.scenario.declines ? 'decline' : 'hand-over';
        return (await receiveState(peer, sink, { ending, signal: abort.signal })).end;
      } finally {
        await peer.close();
      }
    } catch (error) {
      await sink.abort();
      throw error;
    }
  }

  /** The first source that connects and gives the password. */
  async #nextSource(process: SimulatedProcess, signal: AbortSignal): Promise<Peer> {
    const link = this.#links[this.#links.length - 1];
    for (;;) {
      this.#isTargetWaiting = true;
      const stream = await new Promise<Socket>((resolve) => {
        link.listener = { process, accept: resolve };
      });
      this.#isTargetWaiting = false;
      const peer = new Peer(stream.setKeepAlive(true, KEEP_ALIVE_MS), 'source', signal);
      link.listener = undefined;
      if ((await authenticate(peer, PASSWORD)) === undefined) return peer;
      await peer.close();
    }
  }

  diskFault(host: SimulatedHost, work: DiskWork): string | undefined {
    return this.troubles.diskFault(host.name, work);
  }

  #cause(trouble: TeleportTrouble): unknown {
    switch (trouble.kind) {
      case 'kill':
      case 'crash':
        return this.#end(trouble.host, trouble.kind);
      case 'kill-relay':
        return this.#endRelay();
      case 'stop':
        return (trouble.host === 'source' ? this.#source : this.#target).stop(trouble.ms);
      case 'cut':
        return this.#links.map((link) => link.cut(trouble.heardBy));
      case 'part':
        return this.#links.map((link) => link.part(trouble.ms));
      case 'flip':
        return this.#flip();
      case 'interrupt':
        return this.timeline.add(0, trouble.host === 'source' ? this.#source : this.#target, () =>
          this.#abort[trouble.host]?.abort(),
        );
      case 'user':
        return this.timeline.add(0, this.#source, () => this.#act(trouble.act));
      default:
        return undefined;
    }
  }

  #end(host: HostName, how: 'kill' | 'crash'): void {
    const process = host === 'source' ? this.#source : this.#target;
    if (how === 'crash') this.hosts[host].crash();
    else process.end('killed');
    if (host === 'target') this.#abort.target = undefined;
    if (host === 'target') this.#startTargetSoon();
  }

  #flip(): void {
    this.random.pick(this.#links).lie = 'flip';
  }

  #endRelay(): void {
    this.#relay?.end('killed');
    this.timeline.add(this.random.below(AGAIN_MS), undefined, () => this.#startRelay());
  }

  /** A user does something, where the machine lets it be done. */
  #act(act: UserAct): void {
    try {
      if (act === 'reset') this.#running.reset();
      else this.#running.dispatch(act);
    } catch (error) {
      if (!(error instanceof SavkitError)) throw error;
      return;
    }
    this.#wanted = AFTER[act] ?? this.#wanted;
  }
}

const OTHER = '/machines/other.sav';
const AFTER: Partial<Record<UserAct, MachineState>> = { suspend: 'suspended', resume: 'running', 'power-off': 'off' };
