import type { SavkitError } from '../../formats/errors.ts';
import type { DecisionLog, TargetDecision } from '../hand-over/decision-record.ts';
import { nextState, TARGET_STATES, type TargetEvent, type TargetState } from '../hand-over/states.ts';
import type { MachineDescription } from '../machine/description.ts';
import type { TargetMachine } from '../machine/machine.ts';
import { PageHashes } from '../machine/page-hashes.ts';
import type { PageSet } from '../machine/page-set.ts';
import { PageSpace } from '../machine/page-space.ts';
import { MemoryHasher } from '../proof/memory-hasher.ts';

/** A machine on its way in: what outlives links. */
export class Arrival {
  state: TargetState = 'waiting';
  readonly migration: string;
  readonly log: DecisionLog;
  /** The highest number of a connection so far: older ones are not heard any more. */
  attempt = 0;
  description: MachineDescription | undefined;
  machine: TargetMachine | undefined;
  space: PageSpace | undefined;
  hashes: PageHashes | undefined;
  /** It was paused at the source, and stays paused. */
  isPaused = false;
  /** It runs here, or is here for good in another way. */
  isLaunched = false;
  /** After an audit of memory: pages that have arrived since they were last hashed. */
  written: PageSet | undefined;
  /** The source knows that the machine runs here, or has given up asking in good order: nobody comes again. */
  isKnownToRun = false;
  /** The process that held the machine has ended before it ran: it never will. */
  failure: SavkitError | undefined;
  /** It was given up after it had been promised, and the source has not asked yet. */
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

  /** Writes a decision down, after all earlier ones are written: of two the later one has to stand in the end. */
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

  /** Takes the machine in, and hashes the memory that it has already. */
  async take(description: MachineDescription, machine: TargetMachine): Promise<void> {
    this.description = description;
    this.machine = machine;
    this.space = new PageSpace(description.regions);
    this.hashes = new PageHashes(this.space.pageCount);
    if (machine.isSeeded) await this.refreshHashes();
  }

  /** Makes the hashes those of memory as it is. */
  async refreshHashes(): Promise<void> {
    if (this.machine && this.hashes) await new MemoryHasher(this.machine).refresh(this.hashes);
  }

  /**
   * The same for the pages that have arrived since the audit: hashes are of memory as it is, not of the bytes that were
   * written to it.
   */
  refreshWritten(): void {
    if (!this.machine || !this.hashes || !this.written) return;
    new MemoryHasher(this.machine).refreshSome(this.hashes, this.written);
    this.written.clear();
  }
}
