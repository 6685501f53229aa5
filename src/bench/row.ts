/**
 * One row of the bench's table. A file `*.bench.ts` beside the code it measures exports `rows: BenchRow[]`; `npm run
 * bench` finds all of them, `npm run bench -- NAME…` takes those whose name, or whose file's name, contains a word.
 *
 * Times of a shared machine mean nothing by themselves. So each row is run in every round, in a process of its own, and
 * rated against the time that another row took in the same round.
 */
export interface BenchRow {
  /** Unique name of the work that is measured, such as `deep verify`. */
  name: string;
  /**
   * Does the job once, in a fresh process. The whole call is timed, unless it returns milliseconds of its own, as a
   * number or in `Measured`: of a part, after warming up, or of work that was started elsewhere.
   */
  run(context: BenchContext): Promise<unknown> | unknown;
  /** Made once, before the first round and outside of all times: files that the row needs. */
  prepare?(context: BenchContext): Promise<void>;
  /** `prepare` may replace the state that all rows read, and so comes before that of rows that make files of it. */
  replacesState?: boolean;
  /** Other rows that it is rated against. */
  against?: readonly RowComparison[];
  /** MiB of guest RAM, if not the run's; for rows whose start would count too much. */
  ramMib?: number;
  /**
   * Limits for the process's peak memory, by MiB of guest RAM; the row is then also run at these sizes, and its cost
   * per GiB compared.
   */
  peakRssMib?: number;
  /** Reason why the row can't be run here, such as a missing VirtualBox or gcc; undefined when it can. */
  missing?(): string | undefined;
}

/** Result of a row: its time, and other figures of the same run. */
export interface Measured {
  ms: number;
  figures: readonly Figure[];
}

export interface Figure {
  name: string;
  value: number;
  unit: string;
  /** To be reached, by the median of all rounds. */
  atMost?: number;
}

export interface RowComparison {
  /** Name of the other row. */
  row: string;
  /** To be reached: this row is at least so many times as fast as the other one. Without it the ratio is only shown. */
  atLeast?: number;
  /**
   * `atLeast` for a host with two free processors, where two independent processes do at least `SCALES` times the work
   * of one.
   */
  atLeastIfScaling?: number;
}

/**
 * Speed-up that two processors have to give. Virtual ones give less than two, as other guests of the host use them,
 * too.
 */
export const SCALES = 1.6;
/** Factor by which cost per GiB of guest RAM may be higher at larger sizes than at the run's own. */
export const MAX_COST = 1.25;

/** Surroundings that a row may use. */
export interface BenchContext {
  /** For files; they stay there for later runs. */
  folder: string;
  /** MiB of guest RAM that this run is about. */
  ramMib: number;
  /** Path of the mixed state with that much RAM. */
  state: string;
}

export const REFERENCE = 'read + CRC-32';

/** Rows of several threads are also measured at this size: their start is a smaller part of the time. */
export const LARGE_MIB = 4096;
export const REFERENCE_LARGE = 'read + CRC-32, 4 GiB';
