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

/** The safe file, and what a machine is started from after its process has ended. */
export interface SafeFile {
  memory: Buffer;
  ticks: number;
}

/** The one guest, wherever it is: what its memory has to be, and which machines hold it at this moment. */
export class SimulatedGuest {
  readonly #scenario: Scenario;
  /** What it writes has nothing to do with when others look. */
  readonly random: Random;
  /** All that it has ever written. */
  truth: Uint8Array;
  ticks = 0;
  /** Machines in which it executes, or could at a word of its user. */
  readonly owners = new Set<SimulatedMachine>();
  /** What must not be. */
  readonly faults: string[] = [];
  /** It has executed at the target. */
  hasRunThere = false;

  constructor(scenario: Scenario, random: Random) {
    this.#scenario = scenario;
    this.random = new Random(random.below(2 ** 31));
    this.truth = firstMemory(scenario.pages, random);
  }

  get scenario(): Scenario {
    return this.#scenario;
  }

  /** A machine has it now, whole. */
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
    if (page >= 0) this.faults.push(`page ${page} of ${this.truth.length / PAGE_SIZE} is not as the guest has left it`);
    if (!isHere) this.hasRunThere = true;
    this.owners.add(machine);
  }

  leave(machine: SimulatedMachine): void {
    this.owners.delete(machine);
  }

  /** Its machine is gone with its process: it begins again at an older state. */
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

/** A sequence of all bytes, so that it repeats itself after 256 steps. */
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

/** A machine whose guest writes memory in virtual time; the model of its memory is the guest's. */
export class SimulatedMachine extends PlainMachine {
  readonly process: SimulatedProcess;
  readonly #guest: SimulatedGuest;
  /** Where it is written before it is taken over. */
  readonly #safe: string | undefined;
  #isInFile = false;
  /** What the target has, as a machine that compares its memory is told. */
  #known: PageHashes | undefined;
  #share = 1;
  #missed = 0;
  /** When its guest writes next, as long as it executes. */
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

  /** One that is to be filled by a migration. */
  static arriving(guest: SimulatedGuest, process: SimulatedProcess, safe: string | undefined): SimulatedMachine {
    return new SimulatedMachine(guest, process, safe);
  }

  /** It goes on, or stands as its user has paused it: in either case it is this side's. */
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

  /** It has arrived paused. */
  arrivePaused(): void {
    this.isPaused = true;
    this.#own();
  }

  /** A word of its user. */
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

  /** A machine that compares its memory is one of others, which may have to be readied. */
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
   * Whatever its guest has done up to now: nobody sees a machine but its own process, which asks for this before
   * anything happens in it. A happening for each tick would be most of all happenings.
   */
  catchUp(now: number): void {
    while (this.isRunning && this.#nextTick <= now) {
      this.#tick();
      this.#drawNextTick(this.#nextTick);
    }
  }

  /** Nothing executes before. */
  holdUntil(time: number): void {
    this.#nextTick = Math.max(this.#nextTick, time);
  }

  /** Who has run for a while does so more quietly: a long wait has no use for thousands of writes. */
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
