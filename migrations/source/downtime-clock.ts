import { clock } from '../../formats/world/waiting.ts';
import type { DowntimePhases } from '../report/report.ts';

/** Splits the downtime of a machine into phases. */
export class DowntimeClock {
  phases = noPhases();
  #start = 0;
  #last = 0;

  /** Starts the downtime; time before does not count. */
  start(now = clock()): void {
    this.phases = noPhases();
    this.#start = now;
    this.#last = now;
  }

  /** Adds the time since the last note to a phase. */
  note(phase: keyof DowntimePhases, now = clock()): void {
    this.phases[phase] += now - this.#last;
    this.#last = now;
  }

  /** Time from the start to the last note. */
  get totalMs(): number {
    return this.#last - this.#start;
  }
}

export function noPhases(): DowntimePhases {
  return { stop: 0, pages: 0, hash: 0, rest: 0, ready: 0, decision: 0, start: 0 };
}
