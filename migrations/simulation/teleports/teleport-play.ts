import type { Socket } from 'node:net';
import { SavkitError } from '../../../formats/errors.ts';
import { Random } from '../../../formats/testing/random.ts';
import type { DiskWork } from '../../../formats/testing/simulated-disk.ts';
import type { Machine } from '../../../src/machine/machine.ts';
import { KEEP_ALIVE_MS, Peer } from '../../teleporter/peer.ts';
import { relayMachine } from '../../teleporter/relay.ts';
import { Network } from '../world/network.ts';
import { SimulatedHost, type SimulatedProcess, type Surroundings } from '../world/simulated-process.ts';
import type { HostName } from '../world/simulated-socket.ts';
import { Timeline } from '../world/timeline.ts';
import { AGAIN_MS, type TeleportGround } from './teleport-ground.ts';
import type { TeleportScenario, TeleportTrouble } from './teleport-scenario.ts';
import { TeleportSource } from './teleport-source.ts';
import { TeleportTarget } from './teleport-target.ts';
import { TeleportTroubles } from './teleport-troubles.ts';

/** No wait of the protocol is longer, except for a link that is gone. */
const PATIENCE_MS = 10 * 60_000;

/** A machine that is teleported into a file on another host, past all kinds of troubles. */
export class TeleportPlay implements Surroundings, TeleportGround {
  readonly scenario: TeleportScenario;
  readonly timeline = new Timeline();
  readonly random: Random;
  readonly hosts: Record<HostName, SimulatedHost>;
  readonly links: readonly Network[];
  readonly givesNumbersAgain = false;
  readonly faults: string[] = [];
  readonly troubles: TeleportTroubles;
  readonly target: TeleportTarget;
  source!: TeleportSource;
  /** In the end the machine ran where it had been. */
  runsAtSource = false;
  readonly #machine: Machine;
  #relay: SimulatedProcess | undefined;

  constructor(scenario: TeleportScenario, machine: Machine) {
    this.scenario = scenario;
    this.random = new Random(scenario.seed);
    this.#machine = machine;
    this.troubles = new TeleportTroubles(scenario.troubles, this.timeline, (trouble) => this.#cause(trouble));
    this.hosts = { source: new SimulatedHost('source', this), target: new SimulatedHost('target', this) };
    this.links = Array.from({ length: scenario.isRelayed ? 2 : 1 }, () => {
      const link = new Network(this.timeline, this.random, scenario.link);
      link.onFrame = (bytes) => this.troubles.noteSent(bytes);
      return link;
    });
    this.target = new TeleportTarget(this);
  }

  async run(): Promise<void> {
    if (this.scenario.replaces) await this.target.writeOld();
    this.#startRelay();
    this.target.start();
    this.source = new TeleportSource(this, this.#machine);
    this.troubles.begin();
    const isSending = () => !this.source.isOver && !this.source.process.isGone;
    await this.timeline.run(() => !isSending(), PATIENCE_MS);
    if (isSending() && this.source.isInPasses) await this.#loseHope();
    if (isSending()) this.#endStuck('source');
    this.troubles.cease();
    this.runsAtSource = this.source.runs;
    if (this.runsAtSource) this.timeline.add(0, this.source.process, () => this.source.act('power-off'));
    await this.#settle();
  }

  /** Has the user of a guest that writes more than the link takes lose patience. */
  async #loseHope(): Promise<void> {
    this.troubles.had.add('interrupt');
    this.timeline.add(0, this.source.process, () => this.source.interrupt());
    await this.timeline.run(() => this.source.isOver, 60_000);
  }

  /** Lets all waits end; nothing may be left then but the file. */
  async #settle(): Promise<void> {
    const { source, target } = this;
    target.isOver = true;
    await this.timeline.run(() => !target.isAtWork, PATIENCE_MS);
    if (target.isAtWork) this.#endStuck('target');
    await this.timeline.run(() => false, 120_000);
    this.#lookForRests(source.process);
    if (!target.isWaiting) this.#lookForRests(target.process);
    target.process.end('killed');
    if (!this.hosts.target.isUp) this.hosts.target.restart();
    await target.lookForRests();
  }

  /**
   * Ends both sides. A side that is stuck is a fault, unless a bit was flipped: without its newline, the other side
   * waits for the end of a line for ever.
   */
  #endStuck(name: HostName): void {
    if (!this.troubles.had.has('flip')) this.faults.push(`the ${name} comes to no end`);
    this.source.process.end('killed');
    this.target.process.end('killed');
  }

  #lookForRests({ isGone, host, files, timers, sockets }: SimulatedProcess): void {
    if (isGone) return;
    for (const path of files.openFiles) this.faults.push(`${path} is left open at the ${host.name}`);
    if (timers.size > 0) this.faults.push(`${timers.size} timers are left at the ${host.name}`);
    if (sockets.size > 0) this.faults.push(`${sockets.size} connections are left at the ${host.name}`);
  }

  #startRelay(): void {
    const [first, second] = this.links;
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
        return this[trouble.host].process.stop(trouble.ms);
      case 'cut':
        return this.links.map((link) => link.cut(trouble.heardBy));
      case 'part':
        return this.links.map((link) => link.part(trouble.ms));
      case 'flip':
        return this.#flip();
      case 'interrupt':
        return this.timeline.add(0, this[trouble.host].process, () => this[trouble.host].interrupt());
      case 'user':
        return this.timeline.add(0, this.source.process, () => this.source.act(trouble.act));
      default:
        return undefined;
    }
  }

  #end(host: HostName, how: 'kill' | 'crash'): void {
    if (host === 'target') this.target.end(how);
    else if (how === 'crash') this.hosts.source.crash();
    else this.source.process.end('killed');
  }

  #flip(): void {
    this.random.pick(this.links).lie = 'flip';
  }

  #endRelay(): void {
    this.#relay?.end('killed');
    this.timeline.add(this.random.below(AGAIN_MS), undefined, () => this.#startRelay());
  }
}
