import { UsageError } from '../../formats/errors.ts';
import type { TimerHandle } from '../../formats/world/time.ts';
import { after, clock, stopTimer } from '../../formats/world/waiting.ts';
import type { Machine } from '../machine/machine.ts';
import { isExecuting, type MachineEvent, type MachineState, nextMachineState } from '../machine/machine-states.ts';
import type { GuestMemory } from '../pgm/guest-memory.ts';
import { Guest, type GuestCheck } from './guest.ts';
import { MAX_THROTTLE, StepPacer } from './step-pacer.ts';
import type { WorkloadOptions } from './workload.ts';

/** Time between two slices. */
const SLICE_MS = 4;
/** Longest slice; other work of the process waits that long. */
const SLICE_LIMIT_MS = 4;
/** Steps between two looks at the clock. */
const STEPS_AT_ONCE = 64;

/** Figures of a machine since it was started here. */
export interface RunFigures {
  /** Milliseconds for which it executed. */
  runMs: number;
  /** Writes of the workload. */
  steps: number;
  /** Time slices of the guest. */
  ticks: number;
  /** Longest time between two slices while it executed: the delay that a guest would notice of a save or migration. */
  longestGapMs: number;
  /** Milliseconds of the last pause. */
  lastPauseMs: number;
}

/**
 * A machine that executes a workload, in time slices of the event loop: it runs while other code awaits. Pausing takes
 * effect at once, between two slices.
 */
export class RunningMachine {
  /** The machine that executes. */
  readonly machine: Machine;
  /** As of now. */
  readonly figures: RunFigures = { runMs: 0, steps: 0, ticks: 0, longestGapMs: 0, lastPauseMs: 0 };
  #guest: Guest;
  #state: MachineState = 'suspended';
  readonly #pacer: StepPacer;
  #timer: TimerHandle | undefined;
  #sliceEnd = 0;
  #pausedAt = 0;
  #released = false;
  #held = false;
  #runtimeError: 'HostMemoryLow' | undefined;
  #end: (failure?: unknown) => void = () => {};
  /** Fulfilled when the machine is off or handed over, with the error of its guest, if there was one. */
  readonly ended = new Promise<unknown>((resolve) => {
    this.#end = resolve;
  });

  /** Called when the machine suspends itself. */
  onRuntimeError: ((error: 'HostMemoryLow') => void) | undefined;

  /** Background work of the host, called once a slice for a small piece of it. */
  background: (() => void) | undefined;

  /** The machine is suspended at first; `resume()` starts it. */
  constructor(machine: Machine, guest: Guest) {
    this.machine = machine;
    this.#guest = guest;
    const { rate, intervalMs } = guest.block;
    this.#pacer = new StepPacer(intervalMs > 0 ? 1000 / intervalMs : rate, clock());
  }

  /**
   * A machine with a new workload, or with the one that its memory holds. @throws UsageError if memory holds none and
   * none is named
   */
  static of(machine: Machine, workload?: WorkloadOptions): RunningMachine {
    const guest = workload
      ? Guest.install(machine.memory, workload, machine.cpus)
      : Guest.find(machine.memory, machine.cpus);
    if (!guest)
      throw new UsageError('no-workload', 'Cannot run machine: its memory holds no workload, and none was named');
    return new RunningMachine(machine, guest);
  }

  /** Reason why the machine suspended itself: the host has no memory for it. Cleared when `resume` has got memory. */
  get runtimeError(): 'HostMemoryLow' | undefined {
    return this.#runtimeError;
  }
  /** The workload; another one after a reset. */
  get guest(): Guest {
    return this.#guest;
  }
  /** Memory of the machine. */
  get memory(): GuestMemory {
    return this.machine.memory;
  }
  /** As of now. */
  get state(): MachineState {
    return this.#state;
  }
  /** Share of time for which the guest is held back, from 0 to `MAX_THROTTLE`. */
  get throttle(): number {
    return this.#pacer.throttle;
  }
  /** Larger shares count as `MAX_THROTTLE`, negative ones as 0. */
  set throttle(share: number) {
    this.#pacer.throttle = Math.min(Math.max(share, 0), MAX_THROTTLE);
  }

  /** @throws UsageError if the state has no such event */
  dispatch(event: MachineEvent): void {
    if (this.#released) throw new UsageError('handed-over', `Cannot ${event} machine: it was handed over`);
    if (this.#held)
      throw new UsageError('being-handed-over', `Cannot ${event} machine: it stands still while it is handed over`);
    this.#state = nextMachineState(this.#state, event);
    if (isExecuting(this.#state)) this.#start();
    else this.#halt();
    if (this.#state === 'off') this.#end();
  }

  /** Lets the machine execute. @throws UsageError where it is not suspended */
  resume(): void {
    this.dispatch('resume');
  }
  /** Suspends the machine at once. @throws UsageError unless it runs */
  pause(): void {
    this.dispatch('suspend');
  }
  /** Switches the machine off. */
  stop(): void {
    this.dispatch('power-off');
  }

  /**
   * Resets the machine, as the reset button does: memory and CPUs are as at power-on, and the guest begins its workload
   * anew. @throws UsageError unless it runs or is suspended
   */
  reset(): void {
    const wasExecuting = isExecuting(this.#state);
    this.dispatch('reset');
    try {
      this.machine.reset();
      this.#guest = this.#guest.restart();
    } catch (error) {
      this.#fail(error);
      throw error;
    }
    this.dispatch(wasExecuting ? 'reset-to-running' : 'reset-to-suspended');
  }

  /** Refuses all changes of its state until `letGo`, since it may run on another host soon. */
  hold(): void {
    this.#held = true;
  }
  /** Ends `hold`. */
  letGo(): void {
    this.#held = false;
  }
  /** Between `hold` and `letGo`. */
  get isHeld(): boolean {
    return this.#held;
  }

  /** Ends the machine in this process for good: it runs on another host now. */
  release(): void {
    this.#halt();
    this.#released = true;
    this.#end();
  }

  /** Executes `steps` steps at once, without time slices: for tests and measurements. */
  runSteps(steps: number): void {
    this.guest.tick(steps);
    this.figures.steps += steps;
    this.figures.ticks++;
  }

  /** Checks the workload's memory. */
  selfCheck(): GuestCheck {
    return this.guest.check();
  }

  #start(): void {
    if (this.#timer) return;
    const now = clock();
    if (this.#pausedAt > 0) this.figures.lastPauseMs = now - this.#pausedAt;
    this.#pacer.start(now);
    this.#sliceEnd = now;
    this.#timer = after(SLICE_MS, this.#slice);
  }

  #halt(): void {
    if (!this.#timer) return;
    stopTimer(this.#timer);
    this.#timer = undefined;
    this.#pausedAt = clock();
  }

  readonly #slice = () => {
    const now = clock();
    const { figures } = this;
    figures.longestGapMs = Math.max(figures.longestGapMs, now - this.#sliceEnd);
    figures.runMs += now - this.#sliceEnd;
    try {
      // Requests about its pages are handled while no CPU runs.
      this.memory.requests.run();
      this.background?.();
      if (this.#hasMemory()) this.#runDue(this.#pacer.due(now), now + SLICE_LIMIT_MS);
    } catch (error) {
      this.#fail(error);
      return;
    }
    this.#sliceEnd = clock();
    figures.runMs += this.#sliceEnd - now;
    if (isExecuting(this.#state)) this.#timer = after(SLICE_MS, this.#slice);
  };

  /** Refills the guest's stock of pages. If the host has none, the machine waits for `resume`, which tries again. */
  #hasMemory(): boolean {
    const { handy } = this.memory.pages.backing;
    this.#runtimeError = handy.flags.needHandyPages && !handy.canRefill() ? 'HostMemoryLow' : undefined;
    if (this.#runtimeError === undefined) return true;
    this.dispatch('suspend');
    this.onRuntimeError?.(this.#runtimeError);
    return false;
  }

  /**
   * Executes the steps that are due, or fewer if the slice ends before. A step takes two new pages at most, so the
   * stock lasts from one look at it to the next.
   */
  #runDue(due: number, until: number): void {
    const { guest, figures } = this;
    const { handy } = this.memory.pages.backing;
    const { steps, ticks } = guest.block;
    if (guest.block.intervalMs > 0) guest.tickIntervals(due);
    else {
      let left = due;
      do {
        const count = Math.min(left, STEPS_AT_ONCE, Math.max(1, handy.count >> 1));
        guest.tick(count);
        left -= count;
      } while (left > 0 && clock() < until && this.#hasMemory());
    }
    figures.steps += guest.block.steps - steps;
    figures.ticks += guest.block.ticks - ticks;
  }

  #fail(error: unknown): void {
    this.#timer = undefined;
    this.#state = nextMachineState(this.#state, 'guru-meditation');
    this.#end(error);
  }
}
