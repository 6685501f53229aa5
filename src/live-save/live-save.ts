import { InterruptedError, UnsupportedError } from '../../formats/errors.ts';
import type { ByteSink } from '../../formats/files/sink.ts';
import { clock, sleep } from '../../formats/world/waiting.ts';
import type { Machine } from '../machine/machine.ts';
import { liveEnd, type MachineEvent, type MachineState } from '../machine/machine-states.ts';
import { CountedSink } from './counted-sink.ts';
import { DirtyTracker } from './dirty-tracker.ts';
import { bindLiveStatistics } from './live-counters.ts';
import { LiveWriter } from './live-writer.ts';
import { grewTooBig, LEAST_FREE_SPACE, lowOnSpace, MAX_PASSES, sizeLimit, tooManyPasses } from './pass-rules.ts';
import { DEFAULT_MAX_DOWNTIME_MS } from './vote.ts';

/** A machine that can be saved while it runs. */
export interface LiveMachine {
  /** The machine with its memory. */
  readonly machine: Machine;
  /** State of the machine. */
  readonly state: MachineState;
  /** Takes an event of the table of states. The machine executes in states that execute, and only in these. */
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
  /**
   * Maximum number of live passes, and maximum size of the output in bytes that allow another pass; default:
   * VirtualBox's limits.
   */
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
  /** Reports of the passes, in order. */
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
  readonly #sink: CountedSink;
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
    this.#sink = new CountedSink(sink);
    this.#tracker = new DirtyTracker(machine.machine.memory, 'live save');
    bindLiveStatistics(machine.machine.statistics, () => this.#tracker.counts);
  }

  async run(): Promise<void> {
    const out = new LiveWriter(this.#machine.machine, this.#tracker, this.#sink, {
      check: () => this.#check(),
      onProgress: this.#options.onProgress,
    });
    this.#tracker.prepare();
    await this.#writePasses(out);
    await this.#suspend();
    await this.#writeFinal(out);
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

  async #writePasses(out: LiveWriter): Promise<void> {
    const {
      passes: maxPasses = MAX_PASSES,
      bytes = sizeLimit([this.#machine.machine.state.pgm?.ramSize ?? 0], 'file'),
    } = this.#options.limits ?? {};
    for (let pass = 0; pass < maxPasses; pass++) {
      const start = clock();
      const pages = await out.writePass(pass);
      const { vote, percent = 0 } = out.vote(pass, this.#options.maxDowntimeMs ?? DEFAULT_MAX_DOWNTIME_MS);
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
      out.tellPass(percent, pass);
    }
    throw tooManyPasses(maxPasses);
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

  async #writeFinal(out: LiveWriter): Promise<void> {
    const start = clock();
    this.#machine.machine.memory.setNoMorePhysWrites(true);
    const pages = await out.writeFinal();
    this.#note({ pass: 'final', pages, written: this.#sink.written, dirtyPages: 0, ms: clock() - start });
  }

  #note(pass: PassReport): void {
    this.#passes.push(pass);
    this.#options.onPass?.(pass);
  }

  #hasEnded(): boolean {
    return typeof liveEnd(this.#machine.state) === 'object';
  }

  #check(): void {
    if (this.#options.signal?.aborted) throw new InterruptedError('VERR_SSM_CANCELLED');
  }
}
