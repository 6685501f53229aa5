import type { SavkitError } from '../../formats/errors.ts';
import { after, sleep } from '../../formats/world/waiting.ts';
import type { TargetDecision } from '../hand-over/decision-record.ts';
import { differenceOf, type MachineDescription } from '../machine/description.ts';
import type { TargetHost, TargetMachine } from '../machine/machine.ts';
import { PageSpace } from '../machine/page-space.ts';
import { LinkError } from '../wire/link-error.ts';
import { MigrationError } from '../wire/migration-error.ts';
import { tellUndisturbed } from '../wire/tell-undisturbed.ts';
import type { Arrival } from './arrival.ts';
import type { ReceiveEvent } from './receive-event.ts';

const KEEP_MS = 10 * 60_000;
/** Time after which a machine that did not start is started again. */
const START_AGAIN_MS = 5000;
/** Time between looks at the record, into which `migrate --resolve` may have written an answer. */
const LOOK_EVERY_MS = 500;

/** Options of keeping a machine until its owner is known. */
export interface CustodyOptions {
  /** Gives the recorded decision on a migration that this process does not know. */
  recall?: (migration: string) => Promise<TargetDecision | 'unknown'>;
  /** Time for which a machine is kept after its link broke, in ms; default: 10 minutes. */
  keepMs?: number;
  /** Called for each step of the way. */
  onEvent?: (event: ReceiveEvent) => void;
}

/**
 * Decides at the target whether the machine runs: keeps the state of the hand-over, its record and the machine
 * consistent.
 */
export class TargetCustody<M extends TargetMachine = TargetMachine> {
  /** The machine, once it belongs to this side. Rejects when the migration is cancelled or given up. */
  readonly arrived: Promise<M>;
  readonly #host: TargetHost<M>;
  readonly #options: CustodyOptions;
  /** Ends the link over which the machine arrives. */
  readonly #endLink: () => Promise<void>;
  #resolve!: (machine: TargetMachine) => void;
  #reject!: (error: Error) => void;

  constructor(host: TargetHost<M>, options: CustodyOptions, endLink: () => Promise<void>) {
    this.#host = host;
    this.#options = options;
    this.#endLink = endLink;
    this.arrived = new Promise((resolve, reject) => {
      // Every machine here is one that the host has made.
      this.#resolve = resolve as (machine: TargetMachine) => void;
      this.#reject = reject;
    });
    this.arrived.catch(() => {});
  }

  /** Ends the wait for a machine. */
  readonly fail = (error: Error): void => this.#reject(error);

  tell(event: ReceiveEvent): void {
    tellUndisturbed(this.#options.onEvent, event);
  }

  /** The recorded decision on a migration that this process does not know. */
  async recall(migration: string): Promise<TargetDecision | 'unknown'> {
    return (await this.#options.recall?.(migration)) ?? 'unknown';
  }

  /**
   * Checks a description, and makes or finds its machine. @returns whether the machine's memory has contents already
   */
  async takeIn(arrival: Arrival, peer: string, description: MachineDescription, rest: Uint8Array): Promise<boolean> {
    new PageSpace(description.regions, this.#host.maxPages);
    if (arrival.description) {
      const difference = differenceOf(arrival.description, description);
      if (difference !== undefined)
        throw new MigrationError('other-machine', `Cannot go on with another machine: ${difference}`);
    }
    if (arrival.state === 'ended') {
      const why = arrival.failure ? `: ${arrival.failure.message}` : ', as no link came in time';
      throw new MigrationError(
        'is-over',
        `Cannot go on with this machine: this side has given it up${why}; a new migration can begin`,
      );
    }
    arrival.log.describe(description.name, peer);
    const isNew = arrival.machine === undefined;
    if (isNew) await this.#checkIsNew(arrival);
    if (!arrival.may('describe')) arrival.enter('describe');
    if (isNew) await this.#make(arrival, description, rest);
    else await arrival.decide('receiving');
    arrival.enter('describe');
    if (!isNew) arrival.machine?.arriveAgain?.();
    return !isNew || arrival.machine?.isSeeded === true;
  }

  /** Makes the machine; ends it if that cannot be written down, as nobody else ever would. */
  async #make(arrival: Arrival, description: MachineDescription, rest: Uint8Array): Promise<void> {
    const machine = await this.#host.create(description, rest);
    try {
      await arrival.take(description, machine);
      await arrival.decide('receiving');
    } catch (error) {
      arrival.letGo();
      machine.discard();
      throw error;
    }
    void machine.ended?.then((error) => this.#onMachineEnded(arrival, error)).catch(this.fail);
  }

  /** Refuses a migration that an earlier process of this side has decided, as its record tells. */
  async #checkIsNew({ migration }: Arrival): Promise<void> {
    const decision = await this.recall(migration);
    if (decision === 'unknown') return;
    const why = `this migration is on record here as ${decision}, by an earlier process; a new one can begin`;
    throw new MigrationError('is-over', `Cannot take this machine: ${why}`);
  }

  /** Takes the machine over, once; the decision is on disk before the machine runs. */
  async start(arrival: Arrival): Promise<void> {
    if (!arrival.may('commit')) arrival.enter('commit');
    if (arrival.failure && arrival.state !== 'running') throw arrival.failure;
    if (arrival.state !== 'running') await arrival.decide('started');
    // `migrate --resolve` may have been quicker: a machine is not launched twice.
    arrival.enter('commit');
    if (arrival.machine) await this.#launch(arrival, arrival.machine);
  }

  /**
   * Runs a machine of this side, unless it was paused or is only kept here. A machine that does not start still belongs
   * to this side, paused; the start is tried again after some time, and when the source asks again.
   */
  async #launch(arrival: Arrival, machine: TargetMachine): Promise<void> {
    const { isPaused } = arrival;
    if (arrival.isLaunched) return;
    if (!isPaused && machine.runs) await this.#start(arrival, machine);
    if (arrival.isLaunched) return;
    arrival.isLaunched = true;
    this.#resolve(machine);
    this.tell({ event: !machine.runs ? 'arrived-in-file' : isPaused ? 'arrived-paused' : 'running' });
  }

  async #start(arrival: Arrival, machine: TargetMachine): Promise<void> {
    try {
      await machine.start();
    } catch (error) {
      this.tell({ event: 'not-started', message: (error as Error).message });
      this.#launchLater(arrival, machine);
      throw error;
    }
  }

  /** Starts the machine again after some time, as the source may be gone by then, and not ask again. */
  #launchLater(arrival: Arrival, machine: TargetMachine): void {
    if (arrival.failure || arrival.startsLater) return;
    arrival.startsLater = true;
    const startAgain = () => {
      arrival.startsLater = false;
      this.#launch(arrival, machine).catch(() => {});
    };
    after(START_AGAIN_MS, startAgain, { keepsAlive: false });
  }

  /** Decides on a machine whose link has ended before the machine ran. */
  async onLinkEnd(arrival: Arrival, error: Error): Promise<void> {
    if (arrival.state === 'ended') return this.giveUp(arrival, error);
    const isRefused = arrival.state === 'greeted' && !(error instanceof LinkError);
    if (!isRefused) this.tell({ event: 'link-lost', message: error.message, state: arrival.state });
    const isOver = arrival.state === 'receiving' && !(error instanceof LinkError);
    if (isOver) return this.giveUp(arrival, error);
    arrival.enter('link-lost');
    if (arrival.state === 'interrupted') {
      if (arrival.failure) return this.giveUp(arrival, arrival.failure);
      this.#giveUpLater(arrival, error);
    }
    if (arrival.state === 'in-doubt') this.#awaitAnswer(arrival);
  }

  /**
   * Gives up a machine that has ended before it ran. If it had been declared ready, this side says so when the source
   * asks. If pages are still arriving, the machine is refused at the next one.
   */
  async #onMachineEnded(arrival: Arrival, error: SavkitError): Promise<void> {
    arrival.failure = error;
    if (arrival.state === 'ready') await this.#endLink();
    arrival.owesAnswer = arrival.state === 'in-doubt';
    if (arrival.owesAnswer || arrival.state === 'interrupted') await this.giveUp(arrival, error);
  }

  /** Leaves the machine to the source for good. */
  async giveUp(arrival: Arrival, error: Error): Promise<void> {
    if (arrival.state !== 'ended') arrival.enter('give-up');
    // If writing fails, a record that still says `receiving` means the same. A machine that was ready is given up only
    // after the record has been written.
    try {
      if (arrival.machine) await arrival.decide('gave-up');
    } finally {
      arrival.machine?.discard();
      this.fail(error);
    }
  }

  #giveUpLater(arrival: Arrival, error: Error): void {
    const { attempt } = arrival;
    const giveUp = () => {
      if (arrival.state === 'interrupted' && arrival.attempt === attempt) this.giveUp(arrival, error).catch(this.fail);
    };
    after(this.#options.keepMs ?? KEEP_MS, giveUp, { keepsAlive: false });
  }

  /** Waits until the source or `migrate --resolve` tells whether the whole machine may run here. */
  async #awaitAnswer(arrival: Arrival): Promise<void> {
    while (arrival.state === 'in-doubt') {
      await sleep(LOOK_EVERY_MS, { keepsAlive: false });
      const written = await arrival.log.read().catch(() => 'ready');
      if (arrival.state !== 'in-doubt') return;
      if (written === 'started' && arrival.machine) {
        arrival.enter('run');
        // The writer of this answer has told the source, or is about to.
        arrival.isKnownToRun = true;
        await this.#launch(arrival, arrival.machine).catch(this.fail);
      } else if (written === 'gave-up')
        await this.giveUp(arrival, new MigrationError('gave-up', 'The machine stays at the source')).catch(this.fail);
    }
  }
}
