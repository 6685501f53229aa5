import { writeFileSink } from '../../formats/files/sink.ts';
import { removeFile } from '../../formats/files/temporary-files.ts';
import { PAGE_SIZE } from '../../formats/sizes.ts';
import type { Random } from '../../formats/testing/random.ts';
import { sleep } from '../../formats/world/waiting.ts';
import type { PageAccess } from '../machine/machine.ts';
import type { PageHashes } from '../machine/page-hashes.ts';
import { PageSet } from '../machine/page-set.ts';
import { MemoryHasher } from '../proof/memory-hasher.ts';
import { PlainMachine } from '../testing/plain-machine.ts';
import { GuestPulse, type SafeFile, type SimulatedGuest } from './simulated-guest.ts';
import type { SimulatedProcess } from './world/simulated-process.ts';

/** A machine whose guest writes memory in virtual time; `SimulatedGuest` knows how the memory must be. */
export class SimulatedMachine extends PlainMachine {
  readonly process: SimulatedProcess;
  readonly #guest: SimulatedGuest<SimulatedMachine>;
  /** Path of the safe file, which is written before the machine is taken over. */
  readonly #safe: string | undefined;
  #isInFile = false;
  /** Hashes of the target's pages, for a machine that compares its memory. */
  #known: PageHashes | undefined;
  readonly #pulse: GuestPulse;
  #missed = 0;

  private constructor(guest: SimulatedGuest<SimulatedMachine>, process: SimulatedProcess, safe: string | undefined) {
    super(guest.scenario.pages, 'simulated');
    this.#guest = guest;
    this.#pulse = new GuestPulse(guest);
    this.process = process;
    this.#safe = safe;
    this.isRunning = false;
  }

  /** The machine at the source, in the guest's present state. */
  static here(guest: SimulatedGuest<SimulatedMachine>, process: SimulatedProcess, saved: SafeFile): SimulatedMachine {
    const machine = new SimulatedMachine(guest, process, undefined);
    machine.memory.set(saved.memory);
    machine.ticks = saved.ticks;
    machine.#missed = guest.scenario.missedWrites;
    return machine;
  }

  /** An empty machine for a migration to fill. */
  static arriving(
    guest: SimulatedGuest<SimulatedMachine>,
    process: SimulatedProcess,
    safe: string | undefined,
  ): SimulatedMachine {
    return new SimulatedMachine(guest, process, safe);
  }

  /** Takes the machine over; it runs unless its user has paused it. */
  #own(): void {
    this.#guest.take(this);
    if (this.isPaused) return;
    this.isRunning = true;
    this.process.guest = this;
    this.#pulse.beginAt(this.process.host.around.timeline.now);
  }

  override start(): void {
    this.#own();
  }

  /** Takes over a machine that has arrived paused. */
  arrivePaused(): void {
    this.isPaused = true;
    this.#own();
  }

  /** Pauses or resumes the machine, as its user does. */
  togglePause(): void {
    if (!this.#guest.owners.has(this)) return;
    this.isPaused = !this.isPaused;
    this.isRunning = !this.isPaused;
    if (this.isRunning) this.#pulse.beginAt(this.process.host.around.timeline.now);
  }

  /** Processors stop one after the other, and some may still write. */
  override async pause(): Promise<void> {
    if (this.#random.below(2) === 0) await sleep(this.#random.below(20) / 4);
    this.isRunning = false;
    this.#guest.leave(this);
  }

  override resume(): void {
    this.#own();
  }

  override release(): void {
    super.release();
    this.#guest.leave(this);
  }

  override discard(): void {
    super.discard();
    this.#guest.leave(this);
    if (this.#safe !== undefined && this.#isInFile) removeFile(this.#safe);
  }

  override throttle(share: number): void {
    this.#pulse.share = share;
  }

  override async loadRest(rest: Uint8Array): Promise<void> {
    await super.loadRest(rest);
    if (this.#safe === undefined) return;
    const state = Buffer.concat([this.memory, Buffer.from(`${this.ticks}`)]);
    await writeFileSink(this.#safe, { force: true }, (sink) => sink.write(state));
    this.#isInFile = true;
  }

  get comparesMemory(): boolean {
    return this.#guest.scenario.compares;
  }

  override startTracking(known?: PageHashes): void {
    super.startTracking();
    this.#known = known;
  }

  /** Takes some time, as for a guest of QEMU that has to be prepared, for a machine that compares its memory. */
  async readyToPause(): Promise<boolean> {
    if (!this.comparesMemory || this.#random.below(2) === 0) return false;
    await sleep(this.#random.below(20));
    return this.#random.below(3) > 0;
  }

  override async takeDirty(into: PageSet): Promise<void> {
    if (this.comparesMemory && this.#known) return lookThrough(this, this.#known, into);
    if (this.#random.below(4) === 0) await sleep(0.1);
    await super.takeDirty(into);
  }

  get #random(): Random {
    return this.process.host.around.random;
  }

  /**
   * Carries out the guest's writes up to now. Only the machine's own process sees it, and calls this before anything
   * happens there. An event for each tick would outnumber all others.
   */
  catchUp(now: number): void {
    this.#pulse.catchUp(
      now,
      () => this.isRunning,
      () => this.#tick(),
    );
  }

  /** Lets nothing execute before this time. */
  holdUntil(time: number): void {
    this.#pulse.holdUntil(time);
  }

  #tick(): void {
    this.ticks = this.#guest.tick(this.memory, (page) => {
      if (this.#missed > 0 && this.#guest.random.below(10) === 0) this.#missed--;
      else this.write(page, 0, this.memory[page * PAGE_SIZE]);
    });
  }
}

/** Pages that are looked at between two turns of the guest. */
const AT_ONCE = 16;
const TURN_MS = 0.02;

/** Adds the pages that differ from their known hashes, as for a machine without dirty tracking. */
async function lookThrough(machine: PageAccess, known: PageHashes, into: PageSet): Promise<void> {
  const hasher = new MemoryHasher(machine);
  for (let first = 0; first < into.pageCount; first += AT_ONCE) {
    const pages = new PageSet(into.pageCount);
    for (let page = first; page < Math.min(first + AT_ONCE, into.pageCount); page++) pages.add(page);
    hasher.hashSome(pages, (page, words, i) => {
      if (!known.is(page, words, i)) into.add(page);
    });
    await sleep(TURN_MS);
  }
}
