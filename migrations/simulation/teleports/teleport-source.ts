import { SavkitError } from '../../../formats/errors.ts';
import { sleep } from '../../../formats/world/waiting.ts';
import type { Machine } from '../../../src/machine/machine.ts';
import type { MachineState } from '../../../src/machine/machine-states.ts';
import { RunningMachine } from '../../../src/running/running-machine.ts';
import { KEEP_ALIVE_MS, Peer } from '../../teleporter/peer.ts';
import { teleportRunning } from '../../teleporter/teleport-running.ts';
import { passwordLine } from '../../teleporter/wire.ts';
import { type Standing, standingOf } from '../saved-file.ts';
import { doAct, type UserAct } from '../user-acts.ts';
import type { SimulatedProcess } from '../world/simulated-process.ts';
import { AGAIN_MS, PASSWORD, type TeleportGround } from './teleport-ground.ts';

/** Outcome of a try: `handed-over`, or the code of its error. */
export type SourceEnd = 'handed-over' | (string & {});

/** The source: a machine that runs in a process, and a user who teleports it. */
export class TeleportSource {
  readonly process: SimulatedProcess;
  readonly ends: SourceEnd[] = [];
  /** The machine as each try had sent it, the last try last. */
  readonly sent: Standing[] = [];
  /** The user makes no further try. */
  isOver = false;
  readonly #ground: TeleportGround;
  readonly #running: RunningMachine;
  /** State of the machine apart from teleports. */
  #wanted: MachineState = 'running';
  #abort: AbortController | undefined;

  constructor(ground: TeleportGround, machine: Machine) {
    const { scenario, timeline, random, faults } = ground;
    this.#ground = ground;
    this.process = ground.hosts.source.start();
    this.#running = this.process.do(() => RunningMachine.of(machine, scenario.workload));
    this.process.do(() => this.act('resume'));
    if (scenario.isPausedBefore) this.process.do(() => this.act('suspend'));
    timeline.add(random.below(500), this.process, () => {
      this.#sendAll().catch((error: Error) => faults.push(`an error inside: ${error.stack}`));
    });
  }

  /** The machine runs, and is told to be nowhere else. */
  get runs(): boolean {
    return !this.process.isGone && this.ends.at(-1) !== 'handed-over' && this.#running.state === 'running';
  }

  /** Memory is being sent while the machine runs. */
  get isInPasses(): boolean {
    return this.#running.state === 'running-ls';
  }

  /** Interrupts the program, as its user does. */
  interrupt(): void {
    this.#abort?.abort();
  }

  /** Carries out an act of the user on the machine, if the machine allows it. */
  act(act: UserAct): void {
    if (doAct(this.#running, act)) this.#wanted = AFTER[act] ?? this.#wanted;
  }

  async #sendAll(): Promise<void> {
    const { scenario, random } = this.#ground;
    for (let i = 0; i < scenario.tries; i++) {
      const end = await this.#send();
      this.ends.push(end);
      this.#judgeMachine(end);
      if (end === 'interrupted' || (scenario.declines && end === 'refused-by-target')) break;
      if (['handed-over', 'hand-over-unknown', 'machine-ended'].includes(end) || this.#wanted === 'off') break;
      await sleep(random.below(AGAIN_MS));
    }
    this.isOver = true;
  }

  async #send(): Promise<SourceEnd> {
    const { links, scenario } = this.#ground;
    const abort = new AbortController();
    const { signal } = abort;
    this.#abort = abort;
    let peer: Peer | undefined;
    try {
      const socket = await links[0].connect(this.process, signal);
      peer = new Peer(socket.setKeepAlive(true, KEEP_ALIVE_MS), 'target', signal);
      await teleportRunning(peer, this.#running, {
        password: passwordLine(PASSWORD, 'hashed'),
        paused: scenario.paused,
        maxDowntimeMs: scenario.maxDowntimeMs,
        signal,
        onStep: (step) => this.#atStep(step),
      });
      return 'handed-over';
    } catch (error) {
      if (!(error instanceof SavkitError)) throw error;
      return error.code;
    } finally {
      this.#abort = undefined;
      await peer?.close();
    }
  }

  /** Checks that the machine stands still from the end of the stream to the hand-over. */
  #atStep(step: string): void {
    if (step === 'load-complete') this.sent.push(standingOf(this.#running));
    if (step === 'hand-over') this.#judgeStanding('is handed over');
  }

  #judgeStanding(when: string): void {
    const [now, sent] = [standingOf(this.#running), this.sent.at(-1)];
    if (now.digest !== sent?.digest || now.steps !== sent.steps)
      this.#fault(`the machine that ${when} is not the one that was sent: ${now.steps} steps, ${sent?.steps}`);
  }

  /**
   * Checks that a machine that stays is as if nobody had teleported it, and that a machine that was handed over
   * never runs here.
   */
  #judgeMachine(end: SourceEnd): void {
    const { state, memory } = this.#running;
    if (end === 'handed-over') {
      this.#judgeStanding('was handed over');
      return;
    }
    const { monitored, writtenTo } = memory.pages.counts;
    if (end === 'hand-over-unknown') this.#wanted = this.#wanted === 'running' ? 'suspended' : this.#wanted;
    if (state !== this.#wanted) this.#fault(`after ${end} the machine is ${state} instead of ${this.#wanted}`);
    if (monitored + writtenTo > 0 || memory.monitor.user !== undefined)
      this.#fault(`after ${end} ${monitored} pages are monitored, ${writtenTo} noted`);
    const [fault] = this.#running.selfCheck().faults;
    if (fault) this.#fault(`after ${end} ${fault.what} ${fault.place} is ${fault.found}, not ${fault.expected}`);
  }

  #fault(text: string): void {
    this.#ground.faults.push(text);
  }
}

const AFTER: Partial<Record<UserAct, MachineState>> = { suspend: 'suspended', resume: 'running', 'power-off': 'off' };
