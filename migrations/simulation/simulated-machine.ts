import { writeFileSink } from '../../formats/files/sink.ts';
import { removeFile } from '../../formats/files/temporary-files.ts';
import { PAGE_SIZE } from '../../formats/sizes.ts';
import { Random } from '../../formats/testing/random.ts';
import { sleep } from '../../formats/world/waiting.ts';
import type { PageHashes } from '../machine/page-hashes.ts';
import type { PageSet } from '../machine/page-set.ts';
import { PlainMachine } from '../testing/plain-machine.ts';
import { lookThrough } from './look-through.ts';
import type { Scenario } from './scenario.ts';
import type { SimulatedProcess } from './simulated-process.ts';

/** Contents of a file from which a machine is started: the safe file, or the state at the beginning. */
export interface SafeFile {
  memory: Buffer;
  ticks: number;
}

/** The one guest: the truth about its memory, and the machines that hold it at this moment. */
export class SimulatedGuest {
  readonly #scenario: Scenario;
  /** A generator of its own, so that the guest's writes do not depend on reads by others. */
  readonly random: Random;
  /** The guest's memory as it must be. */
  truth: Uint8Array;
  ticks = 0;
  /** Machines in which the guest executes, or could if its user resumed it. */
  readonly owners = new Set<SimulatedMachine>();
  /** Violations of the rules. */
  readonly faults: string[] = [];
  /** The guest has executed at the target. */
  hasRunThere = false;

  constructor(scenario: Scenario, random: Random) {
    this.#scenario = scenario;
    this.random = new Random(random.below(2 ** 31));
    this.truth = firstMemory(scenario.pages, random);
  }

  get scenario(): Scenario {
    return this.#scenario;
  }

  /** Notes that a machine has the guest now, and checks it. */
  take(machine: SimulatedMachine): void {
    for (const owner of this.owners) if (owner.process.isGone) this.owners.delete(owner);
    const others = [...this.owners].filter((owner) => owner !== machine);
    if (others.length > 0)
      this.faults.push(`two machines: at the ${others[0].process.host.name} and at the ${machine.process.host.name}`);
    const isHere = machine.process.host.name === 'source';
    if (isHere && this.hasRunThere) this.faults.push('the source runs a machine that has gone on at the target');
    if (machine.ticks !== this.ticks)
      this.faults.push(`a machine of tick ${machine.ticks} goes on, where the guest is at ${this.ticks}`);
    const page = differingPage(machine.memory, this.truth);
    if (page >= 0) this.faults.push(`page ${page} of ${this.truth.length / PAGE_SIZE} is not as the guest left it`);
    if (!isHere) this.hasRunThere = true;
    this.owners.add(machine);
  }

  leave(machine: SimulatedMachine): void {
    this.owners.delete(machine);
  }

  /** Starts the guest again from an older state, after its machine was lost with its process. */
  beginAgain({ memory, ticks }: SafeFile): void {
    this.truth = new Uint8Array(memory);
    this.ticks = ticks;
  }
}

function firstMemory(pages: number, random: Random): Uint8Array {
  const memory = new Uint8Array(pages * PAGE_SIZE);
  for (let page = 0; page < pages; page++) {
    const kind = random.below(4);
    if (kind === 0) continue;
    const value = random.below(255) + 1;
    const step = kind === 1 ? 1 : kind === 2 ? 64 : 0;
    const start = page * PAGE_SIZE;
    if (step === 0) memory.fill(value, start, start + PAGE_SIZE);
    else fillWithSteps(memory.subarray(start, start + PAGE_SIZE), value, step);
  }
  return memory;
}

/** Fills a page with a sequence of all byte values, which repeats after 256 steps. */
function fillWithSteps(page: Uint8Array, value: number, step: number): void {
  const whole = Math.min(page.length, step * 256);
  for (let at = 0, n = value; at < whole; at += step) page[at] = n = (n * 77 + 13) & 255;
  for (let at = whole; at < page.length; at += whole) page.copyWithin(at, 0, whole);
}

function differingPage(one: Uint8Array, other: Uint8Array): number {
  if (Buffer.compare(one, other) === 0) return -1;
  for (let at = 0; at < one.length; at++) if (one[at] !== other[at]) return Math.floor(at / PAGE_SIZE);
  return -1;
}

/** A machine whose guest writes memory in virtual time; the guest has the model of the memory. */
export class SimulatedMachine extends PlainMachine {
  readonly process: SimulatedProcess;
  readonly #guest: SimulatedGuest;
  /** Path of the safe file, which is written before the machine is taken over. */
  readonly #safe: string | undefined;
  #isInFile = false;
  /** Hashes of the target's pages, for a machine that compares its memory. */
  #known: PageHashes | undefined;
  #share = 1;
  #missed = 0;
  /** Time of the guest's next write, if it executes. */
  #nextTick = Number.POSITIVE_INFINITY;

  private constructor(guest: SimulatedGuest, process: SimulatedProcess, safe: string | undefined) {
    super(guest.scenario.pages, 'simulated');
    this.#guest = guest;
    this.process = process;
    this.#safe = safe;
    this.isRunning = false;
  }

  /** The machine at the source, in the guest's present state. */
  static here(guest: SimulatedGuest, process: SimulatedProcess, saved: SafeFile): SimulatedMachine {
    const machine = new SimulatedMachine(guest, process, undefined);
    machine.memory.set(saved.memory);
    machine.ticks = saved.ticks;
    machine.#missed = guest.scenario.missedWrites;
    return machine;
  }

  /** An empty machine for a migration to fill. */
  static arriving(guest: SimulatedGuest, process: SimulatedProcess, safe: string | undefined): SimulatedMachine {
    return new SimulatedMachine(guest, process, safe);
  }

  /** Makes the machine this side's; it runs unless its user has paused it. */
  #own(): void {
    this.#guest.take(this);
    if (this.isPaused) return;
    this.isRunning = true;
    this.process.guest = this;
    this.#drawNextTick(this.process.host.around.timeline.now);
  }

  override start(): void {
    this.#own();
  }

  /** Takes over a machine that has arrived paused. */
  arrivePaused(): void {
    this.isPaused = true;
    this.#own();
  }

  /** The user pauses or resumes the machine. */
  togglePause(): void {
    if (!this.#guest.owners.has(this)) return;
    this.isPaused = !this.isPaused;
    this.isRunning = !this.isPaused;
    if (this.isRunning) this.#drawNextTick(this.process.host.around.timeline.now);
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
    this.#share = share;
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

  /** A machine that compares its memory models a guest of QEMU, which may have to be prepared. */
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
   * Carries out the guest's writes up to now. Only its own process sees a machine, and calls this before anything
   * happens in it; an event for each tick would be most of all events.
   */
  catchUp(now: number): void {
    while (this.isRunning && this.#nextTick <= now) {
      this.#tick();
      this.#drawNextTick(this.#nextTick);
    }
  }

  /** Nothing executes before this time. */
  holdUntil(time: number): void {
    this.#nextTick = Math.max(this.#nextTick, time);
  }

  /** Ticks become rarer with time, as a long wait needs no thousands of writes. */
  #drawNextTick(from: number): void {
    const { everyMs } = this.#guest.scenario.workload;
    const ms = (everyMs / this.#share) * 2 ** (this.#guest.ticks >> 6);
    this.#nextTick = ms > 100_000 ? Number.POSITIVE_INFINITY : from + ms;
  }

  #tick(): void {
    const { pages, workload } = this.#guest.scenario;
    const { random } = this.#guest;
    this.ticks = ++this.#guest.ticks;
    for (let i = 0; i < workload.pagesEach; i++) this.#writePage(random.below(workload.hot), pages);
  }

  #writePage(page: number, pages: number): void {
    const { kind } = this.#guest.scenario.workload;
    const { random } = this.#guest;
    const start = page * PAGE_SIZE;
    const other = random.below(pages) * PAGE_SIZE;
    const at = start + random.below(PAGE_SIZE - 8);
    if (kind === 'copies') this.memory.copyWithin(start, other, other + PAGE_SIZE);
    else if (kind === 'zeros' && random.below(2) === 0) this.memory.fill(0, start, start + PAGE_SIZE);
    else this.memory.fill(random.below(256), at, at + (kind === 'counter' ? 1 : 8));
    this.#guest.truth.set(this.memory.subarray(start, start + PAGE_SIZE), start);
    if (this.#missed > 0 && random.below(10) === 0) this.#missed--;
    else this.write(page, 0, this.memory[start]);
  }
}
