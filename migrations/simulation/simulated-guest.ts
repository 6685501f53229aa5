import { PAGE_SIZE } from '../../formats/sizes.ts';
import { Random } from '../../formats/testing/random.ts';
import type { Scenario } from './scenario.ts';
import type { HostName } from './world/simulated-socket.ts';

/** Contents of a file from which a machine is started: the safe file, or the state at the beginning. */
export interface SafeFile {
  memory: Buffer;
  ticks: number;
}

/** A machine that has the guest. */
export interface GuestOwner {
  readonly process: { readonly isGone: boolean; readonly host: { readonly name: HostName } };
  readonly memory: Uint8Array;
  readonly ticks: number;
}

/** The one guest: the truth about its memory, and the machines that hold it at this moment. */
export class SimulatedGuest<Owner extends GuestOwner = GuestOwner> {
  readonly #scenario: Scenario;
  /** A generator of its own, so that the guest's writes do not depend on reads by others. */
  readonly random: Random;
  /** The guest's memory as it must be. */
  truth: Uint8Array;
  ticks = 0;
  /** Machines in which the guest executes, or could if its user resumed it. */
  readonly owners = new Set<Owner>();
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
  take(machine: Owner): void {
    for (const owner of this.owners) if (owner.process.isGone) this.owners.delete(owner);
    const others = [...this.owners].filter((owner) => owner !== machine);
    if (others.length > 0)
      this.faults.push(`two machines: at the ${others[0].process.host.name} and at the ${machine.process.host.name}`);
    const isHere = machine.process.host.name === 'source';
    if (isHere && this.hasRunThere) this.faults.push('the source runs a machine that has gone on at the target');
    this.faults.push(...this.differences(machine));
    if (!isHere) this.hasRunThere = true;
    this.owners.add(machine);
  }

  /** Differences of a machine from the guest as it was left. */
  differences({ ticks, memory }: Owner): string[] {
    const page = differingPage(memory, this.truth);
    return [
      ...(ticks === this.ticks ? [] : [`a machine of tick ${ticks} goes on, where the guest is at ${this.ticks}`]),
      ...(page < 0 ? [] : [`page ${page} of ${this.truth.length / PAGE_SIZE} is not as the guest left it`]),
    ];
  }

  leave(machine: Owner): void {
    this.owners.delete(machine);
  }

  /** Starts the guest again from an older state, after its machine was lost with its process. */
  beginAgain({ memory, ticks }: SafeFile): void {
    this.truth = new Uint8Array(memory);
    this.ticks = ticks;
  }

  /**
   * Has the guest write to its memory. @param onWritten called for each page after it was written
   * @returns number of its ticks so far
   */
  tick(memory: Uint8Array, onWritten: (page: number) => void): number {
    const { workload } = this.#scenario;
    this.ticks++;
    for (let i = 0; i < workload.pagesEach; i++) {
      const page = this.random.below(workload.hot);
      this.#write(memory, page);
      onWritten(page);
    }
    return this.ticks;
  }

  #write(memory: Uint8Array, page: number): void {
    const { pages, workload } = this.#scenario;
    const { random } = this;
    const { kind } = workload;
    const start = page * PAGE_SIZE;
    const other = random.below(pages) * PAGE_SIZE;
    const at = start + random.below(PAGE_SIZE - 8);
    if (kind === 'copies') memory.copyWithin(start, other, other + PAGE_SIZE);
    else if (kind === 'zeros' && random.below(2) === 0) memory.fill(0, start, start + PAGE_SIZE);
    else memory.fill(random.below(256), at, at + (kind === 'counter' ? 1 : 8));
    this.truth.set(memory.subarray(start, start + PAGE_SIZE), start);
  }
}

/** Decides when a guest writes next. Ticks become rarer with time, as a long wait needs no thousands of writes. */
export class GuestPulse {
  /** Share of its time for which the guest may execute. */
  share = 1;
  readonly #guest: { readonly ticks: number; readonly scenario: Scenario };
  #next = Number.POSITIVE_INFINITY;

  constructor(guest: { readonly ticks: number; readonly scenario: Scenario }) {
    this.#guest = guest;
  }

  beginAt(now: number): void {
    this.#drawFrom(now);
  }

  /** Calls `tick` for each tick up to now, as long as the guest runs. */
  catchUp(now: number, runs: () => boolean, tick: () => void): void {
    while (runs() && this.#next <= now) {
      tick();
      this.#drawFrom(this.#next);
    }
  }

  /** Lets nothing execute before this time. */
  holdUntil(time: number): void {
    this.#next = Math.max(this.#next, time);
  }

  #drawFrom(from: number): void {
    const ms = (this.#guest.scenario.workload.everyMs / this.share) * 2 ** (this.#guest.ticks >> 6);
    this.#next = ms > 100_000 ? Number.POSITIVE_INFINITY : from + ms;
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
  for (let at = 0; at < Math.max(one.length, other.length); at++)
    if (one[at] !== other[at]) return Math.floor(at / PAGE_SIZE);
  return -1;
}
