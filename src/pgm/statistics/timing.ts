import { clock } from '../../../formats/world/waiting.ts';
import type { Profile } from './statistic.ts';

const NANOSECONDS = 1e6;

/**
 * A profile that counts: how often something was done, and how long it took, in nanoseconds of this process's clock.
 */
export class Timing implements Profile {
  /** As `Profile` has them. */
  periods = 0;
  /** All periods together. */
  ticks = 0;
  /** Of one period. */
  min = 0;
  /** Of one period. */
  max = 0;

  /** One period has ended. @param start what `clock()` was at its begin */
  add(start: number): void {
    const ticks = Math.round((clock() - start) * NANOSECONDS);
    this.min = this.periods === 0 ? ticks : Math.min(this.min, ticks);
    this.max = Math.max(this.max, ticks);
    this.periods++;
    this.ticks += ticks;
  }

  /** Counts from now on. */
  restart(): void {
    this.periods = this.ticks = this.min = this.max = 0;
  }
}

/** Ticks of a period on average, without a fraction, as VirtualBox shows them. */
export function averageOf({ periods, ticks }: Profile): number {
  return periods === 0 ? 0 : Math.trunc(ticks / periods);
}
