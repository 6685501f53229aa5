import { UsageError } from '../../../formats/errors.ts';
import { globMatcher } from './glob.ts';
import {
  nothingOf,
  type Profile,
  type Statistic,
  type StatisticRow,
  type StatisticSample,
  type StatisticValue,
  statisticsOf,
} from './statistic.ts';

/** Gives a statistic's value when somebody asks; nothing is copied or updated meanwhile. */
export type StatisticReader = () => StatisticValue;

interface Entry {
  readonly statistic: Statistic;
  read: StatisticReader;
  isBound: boolean;
  /** What it was at the last reset. */
  base: StatisticValue;
}

/** Statistics by path. What nobody counts is 0. */
export class StatTree {
  /** CPUs of the machine. */
  readonly cpus: number;
  readonly #entries = new Map<string, Entry>();

  /** @param cpus statistics with `{cpu}` in their path stand once for each */
  constructor(cpus: number) {
    this.cpus = cpus;
  }

  /** Of all that are registered. */
  get paths(): readonly string[] {
    return [...this.#entries.keys()];
  }

  /** Adds the statistics that `rows` stand for, all 0. @throws UsageError `already-exists` */
  register(rows: readonly StatisticRow[]): void {
    for (const statistic of statisticsOf(rows, this.cpus)) {
      if (this.#entries.has(statistic.path))
        throw new UsageError('already-exists', `Cannot register statistic: ${statistic.path} is there already`);
      const nothing = nothingOf(statistic.kind);
      this.#entries.set(statistic.path, { statistic, read: () => nothing, isBound: false, base: nothing });
    }
  }

  /** Makes a statistic live. @throws UsageError `not-found` */
  bind(path: string, read: StatisticReader): void {
    Object.assign(this.#get(path), { read, isBound: true });
  }

  /** Whether somebody counts it. @throws UsageError `not-found` */
  isBound(path: string): boolean {
    return this.#get(path).isBound;
  }

  /** @throws UsageError `not-found` */
  valueOf(path: string): StatisticValue {
    return shown(this.#get(path));
  }

  /**
   * Values of all whose path fits the pattern (`*`, `?`, `|`), by path; of those that are shown when used, only these.
   */
  list(pattern = ''): StatisticSample[] {
    const matches = globMatcher(pattern);
    const samples: StatisticSample[] = [];
    for (const [path, entry] of this.#entries) {
      if (!matches(path)) continue;
      const value = shown(entry);
      if (entry.statistic.visibility === 'always' || value !== 0) samples.push({ ...entry.statistic, value });
    }
    return samples.sort((a, b) => (a.path < b.path ? -1 : 1));
  }

  /** Starts counters and profiles anew. */
  reset(pattern = ''): void {
    const matches = globMatcher(pattern);
    for (const [path, entry] of this.#entries) {
      const { kind } = entry.statistic;
      if ((kind === 'counter' || kind === 'profile') && matches(path)) entry.base = snapshot(entry.read());
    }
  }

  #get(path: string): Entry {
    const entry = this.#entries.get(path);
    if (!entry) throw new UsageError('not-found', `Cannot find statistic: there is no ${path}`);
    return entry;
  }
}

function snapshot(value: StatisticValue): StatisticValue {
  return typeof value === 'number' ? value : { ...value };
}

function shown({ read, base }: Entry): StatisticValue {
  const value = read();
  return typeof value === 'number' ? value - (base as number) : profileSince(value, base as Profile);
}

/** The shortest and longest period are known since the beginning only. */
function profileSince(value: Profile, base: Profile): Profile {
  const periods = value.periods - base.periods;
  if (periods === 0) return nothingOf('profile') as Profile;
  return { ...value, periods, ticks: value.ticks - base.ticks };
}
