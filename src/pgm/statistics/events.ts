import type { StatTree } from './stat-tree.ts';
import { Timing } from './timing.ts';

/** Counts and times by name, for statistics. */
export class Events<Count extends string, Time extends string> {
  readonly #counts = new Map<Count, number>();
  readonly #times = new Map<Time, Timing>();

  count(name: Count): void {
    this.#counts.set(name, this.countOf(name) + 1);
  }

  countOf(name: Count): number {
    return this.#counts.get(name) ?? 0;
  }

  /** To be called at the end of a period. @param start `clock()` at its beginning */
  time(name: Time, start: number): void {
    this.timeOf(name).add(start);
  }

  timeOf(name: Time): Timing {
    let timing = this.#times.get(name);
    if (!timing) {
      timing = new Timing();
      this.#times.set(name, timing);
    }
    return timing;
  }

  /** Publishes counts and times as statistics below a path. */
  bindTo(statistics: StatTree, prefix: string, counts: readonly Count[], times: readonly Time[]): void {
    for (const name of counts) statistics.bind(`${prefix}${name}`, () => this.countOf(name));
    for (const name of times) statistics.bind(`${prefix}${name}`, this.timeOf(name));
  }
}
