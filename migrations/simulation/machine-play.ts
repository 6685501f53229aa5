import { SavkitError } from '../../formats/errors.ts';
import { Receiver } from '../arrival/receiver.ts';
import { Play } from './play.ts';
import type { Incident, Scenario } from './scenario.ts';
import { type SafeFile, SimulatedGuest } from './simulated-guest.ts';
import { SimulatedMachine } from './simulated-machine.ts';
import type { SimulatedProcess } from './world/simulated-process.ts';
import type { HostName } from './world/simulated-socket.ts';

const SAFE = '/machines/safe.sav';

/** The world of a scenario in which a machine of savkit's own moves. */
export class MachinePlay extends Play<SimulatedMachine> {
  readonly guest: SimulatedGuest<SimulatedMachine>;
  /** The state that the machine was started from. */
  readonly started: SafeFile;

  constructor(scenario: Scenario) {
    super(scenario);
    this.guest = new SimulatedGuest<SimulatedMachine>(scenario, this.random);
    this.started = { memory: Buffer.from(this.guest.truth), ticks: 0 };
  }

  protected begin(): void {
    this.startTarget();
    this.#startSource(this.started, true);
  }

  /** Starts the machine again, without questions, if its migration had not begun. */
  protected override becomeCalm(): void {
    if (this.source?.isGone && !this.hosts.source.files.names.has(this.recordOf('source'))) this.#startAgain();
  }

  /** Starts a process with the machine in some state; the first process migrates it. */
  #startSource(saved: SafeFile, migrates: boolean): void {
    const process = this.hosts.source.start();
    this.source = process;
    process.do(() => {
      const machine = SimulatedMachine.here(this.guest, process, saved);
      machine.isPaused = migrates && this.scenario.isPaused;
      machine.resume();
      if (migrates) this.migrating = process;
      if (migrates) this.timeline.add(this.random.below(100), process, () => void this.migrate(process, machine));
    });
  }

  protected async receive(process: SimulatedProcess): Promise<void> {
    const { hasSafeFile } = this.scenario;
    const create = async () => {
      const machine = SimulatedMachine.arriving(this.guest, process, hasSafeFile ? SAFE : undefined);
      if (!this.scenario.isSeeded) return machine;
      machine.memory.set(this.started.memory);
      machine.isSeeded = true;
      return machine;
    };
    const receiver = await Receiver.create<SimulatedMachine>(
      { maxPages: 1 << 16, create },
      {
        ...this.receiverOptions,
        onEvent: ({ event }) => event === 'arrived-paused' && this.#arrivedPaused(receiver),
      },
    );
    this.listen(process, receiver);
    await receiver.arrived.catch(async (error: Error) => {
      if (!(error instanceof SavkitError)) this.faults.push(`an error inside the target: ${error.stack}`);
      await this.close(process, receiver);
    });
  }

  #arrivedPaused(receiver: Receiver<SimulatedMachine>): void {
    void receiver.arrived.then((machine) => machine.arrivePaused());
  }

  /**
   * Follows an operator's answer, if the machine's process is gone: starts the machine again at the source, or checks
   * its safe file at the target.
   */
  follow(survivor: HostName): void {
    if (survivor === 'source' && this.source?.isGone && this.hosts.source.isUp) this.#startAgain();
    const safe = this.safeFile();
    if (survivor === 'target' && safe && this.target?.isGone && this.operators.told.length === 1) {
      if (safe.ticks > this.guest.ticks || Number.isNaN(safe.ticks)) this.faults.push('the safe file is not whole');
    }
  }

  /** Starts the machine from its state, as a user does. */
  #startAgain(): void {
    for (const owner of this.guest.owners) if (owner.process.isGone) this.guest.owners.delete(owner);
    if (this.guest.owners.size === 0) this.guest.beginAgain(this.started);
    this.#startSource(this.started, false);
  }

  /** Contents of the target's safe file, if there is one. */
  safeFile(): SafeFile | undefined {
    const file = this.hosts.target.files.names.get(SAFE);
    const size = this.started.memory.length;
    return file && { memory: file.bytes.subarray(0, size), ticks: Number(file.bytes.subarray(size).toString()) };
  }

  override cause(trouble: Incident): unknown {
    if (trouble.kind !== 'pause') return super.cause(trouble);
    for (const machine of this.guest.owners) this.timeline.add(0, machine.process, () => machine.togglePause());
    return undefined;
  }
}
