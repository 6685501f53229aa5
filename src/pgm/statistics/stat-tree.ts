import { UsageError } from '../../../formats/errors.ts';
import { globMatcher } from './glob.ts';
import {
  NO_PROFILE,
  type Statistic,
  type StatisticRow,
  type StatisticSample,
  type StatisticValue,
  statisticsOf,
} from './statistic.ts';
import { Timing } from './timing.ts';

/** Reads a value from its owner on demand; nothing is copied or updated in between. */
export type StatisticReader = () => number;

/** Source of a statistic's values. */
export type StatisticSource = StatisticReader | Timing;

/** Statistics that come and go, with their sources. */
export type PassingStatistics = () => Iterable<readonly [row: StatisticRow, source: Timing]>;

interface Entry {
  readonly statistic: Statistic;
  source: StatisticSource | undefined;
  /** Value of a counter at the last reset. */
  base: number;
}

/** Statistics by path. A statistic without a source is 0. */
export class StatTree {
  /** CPUs of the machine. */
  readonly cpus: number;
  readonly #entries = new Map<string, Entry>();
  readonly #passing: PassingStatistics[] = [];

  /** @param cpus number of CPUs; a path with `{cpu}` exists once for each */
  constructor(cpus: number) {
    this.cpus = cpus;
  }

  /** Paths of all registered statistics. */
  get paths(): readonly string[] {
    return [...this.#entries.keys()];
  }

  /** Adds the statistics that `rows` stand for, all 0. @throws UsageError `already-exists` */
  register(rows: readonly StatisticRow[]): void {
    for (const statistic of statisticsOf(rows, this.cpus)) {
      if (this.#entries.has(statistic.path))
        throw new UsageError('already-exists', `Cannot register statistic: ${statistic.path} is there already`);
      this.#entries.set(statistic.path, { statistic, source: undefined, base: 0 });
    }
  }

  /** Gives a statistic its source. @throws UsageError `not-found` */
  bind(path: string, source: StatisticSource): void {
    this.#get(path).source = source;
  }

  /** Adds passing statistics, which are asked for at each use. */
  follow(passing: PassingStatistics): void {
    this.#passing.push(passing);
  }

  /** Whether a statistic has a source. @throws UsageError `not-found` */
  isBound(path: string): boolean {
    return this.#get(path).source !== undefined;
  }

  /** @throws UsageError `not-found` */
  valueOf(path: string): StatisticValue {
    return shown(this.#get(path));
  }

  /**
   * Statistics whose path fits the pattern (`*`, `?`, `|`), sorted by path. Statistics that are shown only when used
   * are left out while they are 0.
   */
  list(pattern = ''): StatisticSample[] {
    const matches = globMatcher(pattern);
    const samples: StatisticSample[] = [];
    for (const entry of this.#all()) {
      if (!matches(entry.statistic.path)) continue;
      const value = shown(entry);
      if (entry.statistic.visibility === 'always' || value !== 0) samples.push({ ...entry.statistic, value });
    }
    return samples.sort((a, b) => (a.path < b.path ? -1 : 1));
  }

  /** Sets counters and profiles to 0. */
  reset(pattern = ''): void {
    const matches = globMatcher(pattern);
    for (const entry of this.#all()) {
      const { statistic, source } = entry;
      if (source === undefined || !matches(statistic.path)) continue;
      if (source instanceof Timing) source.restart();
      else if (statistic.kind === 'counter') entry.base = source();
    }
  }

  *#all(): Generator<Entry> {
    yield* this.#entries.values();
    for (const passing of this.#passing)
      for (const [row, source] of passing())
        for (const statistic of statisticsOf([row], this.cpus)) yield { statistic, source, base: 0 };
  }

  #get(path: string): Entry {
    const entry = this.#entries.get(path);
    if (!entry) throw new UsageError('not-found', `Cannot find statistic: there is no ${path}`);
    return entry;
  }
}

function shown({ statistic, source, base }: Entry): StatisticValue {
  if (source instanceof Timing) return { ...source };
  if (source !== undefined) return source() - base;
  return statistic.kind === 'profile' ? NO_PROFILE : 0;
}
