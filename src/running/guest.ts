import { bytesOfWords, swapWords } from '../../formats/binary/byte-order.ts';
import { hex } from '../../formats/errors.ts';
import { TWO_32 } from '../../formats/sizes.ts';
import type { MachineCpu } from '../machine/machine-cpu.ts';
import type { GuestMemory } from '../pgm/guest-memory.ts';
import { controlAddress } from './area.ts';
import { CONTROL_SIZE, type ControlBlock, readControl, writeControl } from './control-block.ts';
import { PagingPlaces } from './paging-places.ts';
import { fillPattern, PATTERN_HEAD } from './pattern.ts';
import { DevicePlaces, type Places, RamPlaces } from './places.ts';
import {
  lastSteps,
  NOWHERE,
  type Schedule,
  scheduleOf,
  UNTOUCHED,
  WORKLOAD_KINDS,
  type WorkloadKind,
} from './schedule.ts';
import { checkBlock, newBlock, readTrace, type WorkloadOptions } from './workload.ts';

/** A place whose content is not the one that the workload has left there. */
export interface GuestFault {
  /** Kind of the place, for people. */
  what: string;
  /** Number of the page among the pages of the workload; `NOWHERE` for the control block. */
  place: number;
  /** Guest-physical address; absent for a place without one. */
  gcPhys?: number;
  /** For people. */
  expected: string;
  /** For people. */
  found: string;
}

/** Result of a check. */
export interface GuestCheck {
  /** Writes of the workload so far. */
  steps: number;
  /** Time slices so far. */
  ticks: number;
  /** Pages whose content was compared. */
  pages: number;
  /** The first faults of this check and of all earlier steps; empty if all is well. */
  faults: readonly GuestFault[];
}

const FAULT_LIMIT = 16;
/** Pages that are compared at once. */
const CHECK_SLICE = 2048;
/** Bytes that a step compares before it writes; the check compares all. */
const LOOK = 64;

/**
 * A guest that only executes a workload. Its state is in guest memory only, so that it continues wherever this memory
 * goes. It notices each write that got lost: before it writes a page it checks that the last step's pattern is still
 * there, and at each tick that its control block is unchanged.
 */
export class Guest {
  /** @internal */
  readonly block: ControlBlock;
  /** @internal */
  readonly schedule: Schedule;
  readonly #memory: GuestMemory;
  readonly #cpus: readonly MachineCpu[];
  readonly #trace: Uint32Array | undefined;
  readonly #controlAt: number;
  /** Places that the workload works on. @internal */
  readonly places: Places;
  /** Last step by place: derived from the schedule, to compare with memory. */
  readonly #last: Float64Array;
  readonly #words: Uint32Array;
  readonly #bytes: Uint8Array;
  readonly #found: Uint8Array;
  readonly #control = new Uint8Array(CONTROL_SIZE);
  readonly #controlFound = new Uint8Array(CONTROL_SIZE);
  readonly #faults: GuestFault[] = [];
  /** Called with each place that is written or freed, for recording. @internal */
  onTouch: ((place: number) => void) | undefined;

  private constructor(
    memory: GuestMemory,
    cpus: readonly MachineCpu[],
    block: ControlBlock,
    trace: Uint32Array | undefined,
  ) {
    this.#memory = memory;
    this.#cpus = cpus;
    this.#trace = trace;
    this.block = block;
    this.#controlAt = controlAddress(memory);
    const kind = WORKLOAD_KINDS[block.kind];
    this.places = placesOf(memory, cpus, block, kind);
    this.schedule = scheduleOf(kind, block.seed, block.places, trace);
    this.#last = lastSteps(this.schedule, block.steps);
    this.#words = new Uint32Array(block.patternSize / 4);
    this.#bytes = new Uint8Array(this.#words.buffer);
    this.#found = new Uint8Array(block.patternSize);
    writeControl(block, this.#control);
  }

  /**
   * Puts a workload into memory; it overwrites the area that it uses.
   * @param cpus of the machine; only `paging` needs them
   * @throws UsageError for bad options
   */
  static install(memory: GuestMemory, options: WorkloadOptions, cpus: readonly MachineCpu[] = []): Guest {
    const block = newBlock(memory, options);
    const guest = new Guest(memory, cpus, block, options.trace?.places);
    guest.#begin();
    return guest;
  }

  /** Starts the workload anew, from its first step on, after a reset. Faults that were found stay. */
  restart(): Guest {
    const places = Math.min(
      this.block.places,
      placesOf(this.#memory, this.#cpus, { ...this.block, steps: 0 }, this.kind).count,
    );
    const block = { ...this.block, places, steps: 0, ticks: 0 };
    checkBlock(this.#memory, block);
    const guest = new Guest(this.#memory, this.#cpus, block, this.#trace);
    guest.#faults.push(...this.#faults);
    guest.onTouch = this.onTouch;
    guest.#begin();
    return guest;
  }

  /**
   * The workload in memory, to be continued; undefined if there is none. @throws FormatError `bad-workload` for a
   * damaged one
   */
  static find(memory: GuestMemory, cpus: readonly MachineCpu[] = []): Guest | undefined {
    const bytes = new Uint8Array(CONTROL_SIZE);
    memory.read(controlAddress(memory), bytes);
    const block = readControl(bytes);
    if (!block) return undefined;
    checkBlock(memory, block);
    return new Guest(memory, cpus, block, block.traceLength > 0 ? readTrace(memory, block) : undefined);
  }

  /** Kind of its workload. */
  get kind(): WorkloadKind {
    return WORKLOAD_KINDS[this.block.kind];
  }
  /** The first faults that were found so far. */
  get faults(): readonly GuestFault[] {
    return this.#faults;
  }

  /** Executes a time slice of `steps` steps. */
  tick(steps: number): void {
    this.#beginTick();
    for (let i = 0; i < steps; i++) this.#step();
    this.#endTick();
  }

  /** Executes a time slice of a trace: the steps of `intervals` intervals. */
  tickIntervals(intervals: number): void {
    this.#beginTick();
    for (let i = 0; i < intervals; i++) while (this.#step() !== NOWHERE);
    this.#endTick();
  }

  /** Compares all memory of the workload with the results of its steps. */
  check(): GuestCheck {
    const slices = this.checkInSlices();
    for (;;) {
      const { done, value } = slices.next();
      if (done) return value;
    }
  }

  /**
   * `check` in slices of some milliseconds, between which the guest may execute: each page is compared with the last
   * step at that time.
   */
  *checkInSlices(): Generator<void, GuestCheck> {
    this.#compareControl();
    let pages = 0;
    for (let place = 0; place < this.#last.length; place++) {
      if (place % CHECK_SLICE === CHECK_SLICE - 1) yield;
      if (this.#last[place] === UNTOUCHED) continue;
      pages++;
      this.#compare(place, this.block.patternSize);
    }
    const { steps, ticks } = this.block;
    return { steps, ticks, pages, faults: this.#faults };
  }

  /** Writes the trace and the control block, by which the workload is found again, to memory. */
  #begin(): void {
    const trace = this.#trace;
    if (trace) this.#memory.write(this.block.traceStart, bytesOfWords(trace));
    this.#memory.write(this.#controlAt, this.#control);
  }

  #beginTick(): void {
    this.#compareControl();
    this.block.ticks++;
  }

  #endTick(): void {
    writeControl(this.block, this.#control);
    this.#memory.write(this.#controlAt, this.#control);
  }

  /** Executes the next step. @returns its place */
  #step(): number {
    const step = this.block.steps++;
    this.places.beforeStep?.(step);
    const place = this.schedule.placeOf(step);
    if (place === NOWHERE) return place;
    if (this.#last[place] !== UNTOUCHED) this.#compare(place, Math.min(LOOK, this.block.patternSize));
    if (this.schedule.frees(step)) this.places.free(place);
    else {
      fillPattern(this.#words, this.block.seed, place, step);
      this.places.write(place, this.#bytes);
    }
    this.#last[place] = step;
    this.onTouch?.(place);
    return place;
  }

  #compareControl(): void {
    this.#memory.read(this.#controlAt, this.#controlFound);
    if (Buffer.compare(this.#control, this.#controlFound) === 0) return;
    const found = readControl(this.#controlFound);
    const text = (block: ControlBlock | undefined) =>
      block ? `tick ${block.ticks}, step ${block.steps}` : 'no control block';
    this.#note({
      what: 'control block',
      place: NOWHERE,
      gcPhys: this.#controlAt,
      expected: text(readControl(this.#control)),
      found: text(found),
    });
  }

  #compare(place: number, size: number): void {
    const last = this.#last[place];
    const found = this.#found.subarray(0, size);
    this.places.read(place, found);
    if (this.schedule.frees(last)) this.#words.fill(0);
    else fillPattern(this.#words, this.block.seed, place, last);
    if (Buffer.compare(found, this.#bytes.subarray(0, size)) === 0) return;
    const { gcPhys, where } = this.places.nameOf(place);
    const words = new Uint32Array(swapWords(found.slice(0, PATTERN_HEAD)).buffer);
    const expected = this.schedule.frees(last) ? 'zeros' : `step ${last}`;
    const fault = {
      what: where,
      place,
      expected,
      found: `step ${words[0] + words[1] * TWO_32} of place ${words[2]}, word ${hex(words[3])}`,
    };
    this.#note(gcPhys === undefined ? fault : { ...fault, gcPhys });
  }

  #note(fault: GuestFault): void {
    if (this.#faults.length < FAULT_LIMIT) this.#faults.push(fault);
  }
}

function placesOf(memory: GuestMemory, cpus: readonly MachineCpu[], block: ControlBlock, kind: WorkloadKind): Places {
  if (kind === 'paging') return new PagingPlaces(cpus, block);
  return kind === 'device' ? new DevicePlaces(memory, block) : new RamPlaces(memory, block);
}
