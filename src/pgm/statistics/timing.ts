import { clock } from '../../../formats/world/waiting.ts';
import type { Profile } from './statistic.ts';

const NANOSECONDS = 1e6;

/** A live profile: number and durations of periods, in nanoseconds of this process's clock. */
export class Timing implements Profile {
  /** Number of periods. */
  periods = 0;
  /** Total time of all periods. */
  ticks = 0;
  /** Shortest period. */
  min = 0;
  /** Longest period. */
  max = 0;

  /** Adds a period that has just ended. @param start `clock()` at its start */
  add(start: number): void {
    const ticks = Math.round((clock() - start) * NANOSECONDS);
    this.min = this.periods === 0 ? ticks : Math.min(this.min, ticks);
    this.max = Math.max(this.max, ticks);
    this.periods++;
    this.ticks += ticks;
  }

  /** Sets all values to 0. */
  restart(): void {
    this.periods = this.ticks = this.min = this.max = 0;
  }
}

/** Average ticks of a period, without a fraction, as in VirtualBox. */
export function averageOf({ periods, ticks }: Profile): number {
  return periods === 0 ? 0 : Math.trunc(ticks / periods);
}
