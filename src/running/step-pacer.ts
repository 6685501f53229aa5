/** A delayed machine makes up for this time at most. */
const MAX_CATCH_UP_MS = 100;

/** Largest share of time for which a guest is held back; below 1, so that it never stands still. */
export const MAX_THROTTLE = 0.99;

/** Tells how many steps are due as time passes; fractions of a step are kept for the next call. */
export class StepPacer {
  /** Share of its time that the guest is held back. */
  throttle = 0;
  readonly #perMs: number;
  #at: number;
  #part = 0;

  /** @param perSecond steps in a second */
  constructor(perSecond: number, now: number) {
    this.#perMs = perSecond / 1000;
    this.#at = now;
  }

  /** Starts counting at `now`. */
  start(now: number): void {
    this.#at = now;
  }

  due(now: number): number {
    const ms = Math.min(Math.max(now - this.#at, 0), MAX_CATCH_UP_MS);
    this.#at = now;
    this.#part += ms * this.#perMs * (1 - this.throttle);
    const whole = Math.floor(this.#part);
    this.#part -= whole;
    return whole;
  }
}
