import type { DowntimePhases } from '../report.ts';

/** Tells what the time goes to while a machine stands still. */
export class DowntimeClock {
  phases = noPhases();
  #start = 0;
  #last = 0;

  /** It begins to stand still: what was before does not count. */
  start(now = performance.now()): void {
    this.phases = noPhases();
    this.#start = now;
    this.#last = now;
  }

  /** All time since the last note was spent on this; but for `otherMs` of it, spent on something else after that. */
  note(phase: keyof DowntimePhases, [other, otherMs]: [keyof DowntimePhases, number] = [phase, 0], now = performance.now()): void {
    this.phases[phase] += now - this.#last - otherMs;
    this.phases[other] += otherMs;
    this.#last = now;
  }

  /** From the start to the last note. */
  get totalMs(): number {
    return this.#last - this.#start;
  }
}

export function noPhases(): DowntimePhases {
  return { stop: 0, pages: 0, settle: 0, rest: 0, seal: 0, decision: 0, start: 0 };
}
