import { InterruptedError, UnsupportedError } from '../../formats/errors.ts';
import type { ByteSink } from '../../formats/files/sink.ts';
import { KIB, PAGE_SIZE } from '../../formats/sizes.ts';
import type { ContainerWriter } from '../../formats/ssm/writing/container-writer.ts';
import { createContainer } from '../../formats/ssm/writing/create-container.ts';
import { livePassOf } from '../../formats/units/table.ts';
import { clock, sleep } from '../../formats/world/waiting.ts';
import type { LoadedUnit, Machine } from '../machine/machine.ts';
import { liveEnd, type MachineEvent, type MachineState } from '../machine/machine-states.ts';
import { DirtyTracker } from './dirty-tracker.ts';
import { bindLiveStatistics } from './live-counters.ts';
import { LiveProgress } from './live-progress.ts';
import { MemoryUnit } from './memory-unit.ts';
import { grewTooBig, LEAST_FREE_SPACE, lowOnSpace, MAX_PASSES, sizeLimit, tooManyPasses } from './pass-rules.ts';
import { DEFAULT_MAX_DOWNTIME_MS } from './vote.ts';

/** A machine that can be saved while it runs. */
export interface LiveMachine {
  /** The machine with its memory. */
  readonly machine: Machine;
  /** State of the machine. */
  readonly state: MachineState;
  /** Takes an event of the table; executes in states that execute, and only there. */
  dispatch(event: MachineEvent): void;
}

/** Options of a live save. */
export interface LiveSaveOptions {
  /** Downtime that the vote aims at; default 250 ms. */
  maxDowntimeMs?: number;
  /** Cancels: the machine runs on unchanged. */
  signal?: AbortSignal;
  /** Bytes free on the disk of the output, asked after each pass. */
  freeSpace?: () => Promise<number>;
  /** Leaves the machine suspended after it was saved. */
  leaveSuspended?: boolean;
  /** Most live passes, and most bytes of output that allow another pass; default: VirtualBox's limits. */
  limits?: { passes?: number; bytes?: number };
  /** Called after each pass. */
  onPass?: (pass: PassReport) => void;
  /** Whole save, 0 to 100. */
  onProgress?: (percent: number) => void;
}

/** Report of one pass. */
export interface PassReport {
  /** Number of the live pass, from 0, or `final`. */
  pass: number | 'final';
  /** Pages written. */
  pages: number;
  /** Bytes of output so far. */
  written: number;
  /** Pages that the file lacks after the pass; 0 after the final one. */
  dirtyPages: number;
  /** Duration in ms. */
  ms: number;
}

/** Report of a live save. */
export interface LiveSaveReport {
  /** In order. */
  passes: PassReport[];
  /** Bytes of the file. */
  written: number;
  /** From the first pass to the last byte. */
  totalMs: number;
  /** Time for which the machine stood still because of the save. */
  downtimeMs: number;
  /** The user had suspended the machine meanwhile, so it was left suspended (VINF_SSM_LIVE_SUSPENDED). */
  wasSuspended: boolean;
}

/** A machine in the debugger is looked at again after this time. */
const DEBUGGER_WAIT_MS = 250;
/** Bytes that a container writer takes at once. */
const PIECE = 64 * KIB;

/**
 * Saves a machine that runs: passes while it executes, then a short stop for the rest. Writes a live state (V2.0);
 * device units come in the final part, some of their data already in pass 0. After any failure the machine runs on
 * unchanged.
 *
 * @throws InterruptedError VERR_SSM_CANCELLED; UnsupportedError `grew-too-big`, `too-many-passes`, and if the machine
 * ended meanwhile; UsageError in states that can't be saved, and while another user tracks the machine; errors of the
 * sink
 */
export async function liveSave(
  machine: LiveMachine,
  sink: ByteSink,
  options: LiveSaveOptions = {},
): Promise<LiveSaveReport> {
  machine.dispatch('live-save');
  const save = new LiveSave(machine, sink, options);
  try {
    await save.run();
  } finally {
    await save.finish();
  }
  return save.report();
}

class LiveSave {
  readonly #machine: LiveMachine;
  readonly #options: LiveSaveOptions;
  readonly #sink: CountingSink;
  readonly #tracker: DirtyTracker;
  readonly #passes: PassReport[] = [];
  readonly #start = clock();
  /** Step of the save: after a failure in the final step the machine has to leave the state `saving`. */
  #step: 'passes' | 'final' | 'done' = 'passes';
  #suspendedByUs = false;
  #stoppedAt = 0;
  #endedAt = 0;

  constructor(machine: LiveMachine, sink: ByteSink, options: LiveSaveOptions) {
    this.#machine = machine;
    this.#options = options;
    this.#sink = new CountingSink(sink);
    this.#tracker = new DirtyTracker(machine.machine.memory, 'live save');
    bindLiveStatistics(machine.machine.statistics, () => this.#tracker.counts);
  }

  async run(): Promise<void> {
    const out = this.#createContainer();
    const memory = new MemoryUnit(this.#machine.machine, this.#tracker, out, this.#pgmUnit().header.version, () =>
      this.#check(),
    );
    const progress = new LiveProgress(out, this.#options.onProgress);
    this.#tracker.prepare();
    await this.#writePasses(out, memory, progress);
    await this.#suspend();
    await this.#writeFinal(out, memory, progress);
    this.#check();
    this.#step = 'done';
    this.#machine.dispatch('saved');
    this.#options.onProgress?.(100);
  }

  /** Cleans up, also after failures: lets the machine run on, and then ends the tracking of its pages. */
  async finish(): Promise<void> {
    try {
      this.#letGo();
    } finally {
      this.#endedAt = clock();
      await this.#tracker.finishInTurns();
    }
  }

  report(): LiveSaveReport {
    return {
      passes: this.#passes,
      written: this.#sink.written,
      totalMs: this.#endedAt - this.#start,
      downtimeMs: this.#suspendedByUs ? this.#endedAt - this.#stoppedAt : 0,
      wasSuspended: !this.#suspendedByUs,
    };
  }

  #letGo(): void {
    const machine = this.#machine;
    machine.machine.memory.setNoMorePhysWrites(false);
    if (this.#step === 'passes') machine.dispatch('passes-failed');
    if (this.#step === 'final') machine.dispatch('save-failed');
    const mayResume = this.#step === 'final' || !this.#options.leaveSuspended;
    if (this.#suspendedByUs && mayResume && machine.state === 'suspended') machine.dispatch('resume');
  }

  #createContainer(): ContainerWriter {
    const { header, units } = this.#machine.machine.state;
    return createContainer(this.#sink, '2.0', {
      ...header,
      live: true,
      registeredUnits: header.registeredUnits ?? units.length,
    });
  }

  async #writePasses(out: ContainerWriter, memory: MemoryUnit, progress: LiveProgress): Promise<void> {
    const {
      passes: maxPasses = MAX_PASSES,
      bytes = sizeLimit([this.#machine.machine.state.pgm?.ramSize ?? 0], 'file'),
    } = this.#options.limits ?? {};
    for (let pass = 0; pass < maxPasses; pass++) {
      const start = clock();
      const pages = await this.#writePass(out, memory, pass);
      const { vote, percent = 0 } = memory.vote(pass, this.#options.maxDowntimeMs ?? DEFAULT_MAX_DOWNTIME_MS);
      this.#note({
        pass,
        pages,
        written: this.#sink.written,
        dirtyPages: this.#tracker.dirtyPages,
        ms: clock() - start,
      });
      if (vote === 'done' || this.#hasEnded()) return;
      if (this.#sink.written > bytes) throw grewTooBig(this.#sink.written, bytes);
      const free = (await this.#options.freeSpace?.()) ?? Number.POSITIVE_INFINITY;
      if (free < LEAST_FREE_SPACE) throw lowOnSpace(free);
      progress.livePass(percent, pass);
    }
    throw tooManyPasses(maxPasses);
  }

  async #writePass(out: ContainerWriter, memory: MemoryUnit, pass: number): Promise<number> {
    let pages = 0;
    for (const unit of this.#machine.machine.units) {
      this.#check();
      const payload = pass === 0 ? unit.payload && livePassOf(unit.header, unit.payload) : undefined;
      if (payload === undefined && unit.payload) continue;
      out.beginUnit({ ...unit.header, pass });
      if (payload) await this.#put(out, payload);
      else pages = await memory.writePass(pass);
      out.endUnit();
      await out.flush();
    }
    return pages;
  }

  /** Suspends the machine after the live passes. @throws UnsupportedError where it has ended meanwhile */
  async #suspend(): Promise<void> {
    const machine = this.#machine;
    for (;;) {
      const end = liveEnd(machine.state);
      if (typeof end === 'object') {
        const message = `Cannot go on with live save: the machine is ${machine.state.replace(/-ls$/, '')}`;
        throw new UnsupportedError('machine-ended', message, {}, end.vboxCode);
      }
      if (end !== 'try-again') {
        this.#stoppedAt = clock();
        machine.dispatch('passes-done');
        this.#suspendedByUs = end === 'suspend';
        if (this.#suspendedByUs) machine.dispatch('stopped');
        machine.dispatch('final-pass');
        this.#step = 'final';
        return;
      }
      await sleep(DEBUGGER_WAIT_MS);
      this.#check();
    }
  }

  async #writeFinal(out: ContainerWriter, memory: MemoryUnit, progress: LiveProgress): Promise<void> {
    const { machine } = this.#machine;
    const start = clock();
    machine.memory.setNoMorePhysWrites(true);
    progress.beginFinal();
    const memorySize = this.#tracker.dirtyPages * PAGE_SIZE;
    const total = machine.units.reduce((sum, { payload }) => sum + (payload ? payload.length : memorySize), 0);
    let done = 0;
    let pages = 0;
    for (const { header, payload } of machine.units) {
      this.#check();
      out.beginUnit({ ...header, pass: 'final' });
      if (payload) await this.#put(out, payload);
      else pages = await memory.writePass('final');
      out.endUnit();
      await out.flush();
      done += payload ? payload.length : memorySize;
      progress.finalUnit(total > 0 ? done / total : 1);
    }
    await out.finish();
    this.#note({ pass: 'final', pages, written: this.#sink.written, dirtyPages: 0, ms: clock() - start });
  }

  async #put(out: ContainerWriter, payload: Uint8Array): Promise<void> {
    for (let at = 0; at < payload.length; at += PIECE) {
      out.put(payload.subarray(at, at + PIECE));
      if (out.isFull) await out.flush();
    }
  }

  #note(pass: PassReport): void {
    this.#passes.push(pass);
    this.#options.onPass?.(pass);
  }

  #hasEnded(): boolean {
    return typeof liveEnd(this.#machine.state) === 'object';
  }

  #pgmUnit(): LoadedUnit {
    const unit = this.#machine.machine.units.find(({ payload }) => !payload);
    if (!unit) throw new UnsupportedError('no-memory-unit', 'Cannot save live: the machine has no unit pgm');
    return unit;
  }

  #check(): void {
    if (this.#options.signal?.aborted) throw new InterruptedError('VERR_SSM_CANCELLED');
  }
}

class CountingSink implements ByteSink {
  readonly #sink: ByteSink;
  written = 0;

  constructor(sink: ByteSink) {
    this.#sink = sink;
  }

  async write(bytes: Uint8Array): Promise<void> {
    await this.#sink.write(bytes);
    this.written += bytes.length;
  }
}
