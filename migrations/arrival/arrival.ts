import type { SavkitError } from '../../formats/errors.ts';
import type { DecisionLog, TargetDecision } from '../hand-over/decision-record.ts';
import { nextState, TARGET_STATES, type TargetEvent, type TargetState } from '../hand-over/states.ts';
import type { MachineDescription } from '../machine/description.ts';
import type { TargetMachine } from '../machine/machine.ts';
import { PageHashes } from '../machine/page-hashes.ts';
import type { PageSet } from '../machine/page-set.ts';
import { PageSpace } from '../machine/page-space.ts';
import { MemoryHasher } from '../proof/memory-hasher.ts';

/** State of an arriving machine that outlives links. */
export class Arrival {
  state: TargetState = 'waiting';
  readonly migration: string;
  readonly log: DecisionLog;
  /** The highest number of an attempt to connect so far; connections of older ones are refused. */
  attempt = 0;
  description: MachineDescription | undefined;
  machine: TargetMachine | undefined;
  space: PageSpace | undefined;
  hashes: PageHashes | undefined;
  /** The machine was paused at the source, and stays paused. */
  isPaused = false;
  /** The machine has been started here, or stored for good. */
  isLaunched = false;
  /** The machine did not start, and will be started again. */
  startsLater = false;
  /** After an audit: pages that have arrived since memory was hashed. */
  written: PageSet | undefined;
  /** The source will not connect again: it knows that the machine runs here, or has no more questions. */
  isKnownToRun = false;
  /** The error of a process that has ended before it ran the machine, which is lost. */
  failure: SavkitError | undefined;
  /** The machine was given up after the promise to run it, and the source has not asked yet. */
  owesAnswer = false;
  /** Bytes of page frames so far. */
  bytes = 0;
  #decision: TargetDecision | 'unknown' = 'unknown';

  constructor(migration: string, log: DecisionLog) {
    this.migration = migration;
    this.log = log;
  }

  enter(event: TargetEvent): void {
    this.state = nextState(TARGET_STATES, this.state, event);
  }

  may(event: TargetEvent): boolean {
    return TARGET_STATES[this.state][event] !== undefined;
  }

  get decision(): TargetDecision | 'unknown' {
    return this.#decision;
  }

  /** Writes a decision to the record, after all earlier ones, so that the last decision remains. */
  decide(decision: TargetDecision): Promise<void> {
    const write = async () => {
      await this.log.write(decision, this.attempt);
      this.#decision = decision;
    };
    const written = this.#written.then(write, write);
    this.#written = written;
    written.catch(() => {});
    return written;
  }
  #written: Promise<void> = Promise.resolve();

  /** Begins with a new machine, and hashes the memory that it has already. */
  async take(description: MachineDescription, machine: TargetMachine): Promise<void> {
    this.description = description;
    this.machine = machine;
    this.space = new PageSpace(description.regions);
    this.hashes = new PageHashes(this.space.pageCount);
    if (machine.isSeeded) await this.refreshHashes();
  }

  /** Forgets the machine that was taken, as its arrival could not be written down. */
  letGo(): void {
    this.machine = undefined;
    this.description = undefined;
  }

  /** Updates the hashes from present memory. */
  async refreshHashes(): Promise<void> {
    if (this.machine && this.hashes) await new MemoryHasher(this.machine).refresh(this.hashes);
  }

  /**
   * Updates the hashes of pages that have arrived since the audit. Hashes are computed from memory, not from the
   * received bytes.
   */
  refreshWritten(): void {
    if (!this.machine || !this.hashes || !this.written) return;
    new MemoryHasher(this.machine).refreshSome(this.hashes, this.written);
    this.written.clear();
  }
}
