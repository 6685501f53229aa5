import { clock } from '../../../formats/world/waiting.ts';
import type { StatTree } from './stat-tree.ts';
import { nothingOf, type Profile } from './statistic.ts';

const NANOSECONDS = 1e6;

/** Counts and times by name, for statistics. A tick of a time is a nanosecond of this process's clock. */
export class Events<Count extends string, Time extends string> {
  readonly #counts = new Map<Count, number>();
  readonly #times = new Map<Time, Profile>();

  count(name: Count): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
  }

  countOf(name: Count): number {
    return this.#counts.get(name) ?? 0;
  }

  /** One period has ended. @param start what `clock()` was at its begin */
  time(name: Time, start: number): void {
    const ticks = Math.round((clock() - start) * NANOSECONDS);
    const { periods, ticks: before, min, max } = this.timeOf(name);
    const least = periods === 0 ? ticks : Math.min(min, ticks);
    this.#times.set(name, { periods: periods + 1, ticks: before + ticks, min: least, max: Math.max(max, ticks) });
  }

  timeOf(name: Time): Profile {
    return this.#times.get(name) ?? (nothingOf('profile') as Profile);
  }

  /** Shows them below a path. */
  bindTo(statistics: StatTree, prefix: string, counts: readonly Count[], times: readonly Time[]): void {
    for (const name of counts) statistics.bind(`${prefix}${name}`, () => this.countOf(name));
    for (const name of times) statistics.bind(`${prefix}${name}`, () => this.timeOf(name));
  }
}
