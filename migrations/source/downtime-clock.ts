import { clock } from '../../formats/world/waiting.ts';
import type { DowntimePhases } from '../report/report.ts';

/** Tells what the time goes to while a machine stands still. */
export class DowntimeClock {
  phases = noPhases();
  #start = 0;
  #last = 0;

  /** It begins to stand still: what was before does not count. */
  start(now = clock()): void {
    this.phases = noPhases();
    this.#start = now;
    this.#last = now;
  }

  /** The time since the last note went to this phase. */
  note(phase: keyof DowntimePhases, now = clock()): void {
    this.phases[phase] += now - this.#last;
    this.#last = now;
  }

  /** From the start to the last note. */
  get totalMs(): number {
    return this.#last - this.#start;
  }
}

export function noPhases(): DowntimePhases {
  return { stop: 0, pages: 0, hash: 0, rest: 0, ready: 0, decision: 0, start: 0 };
}
