import { InterruptedError } from './errors.ts';
import { clock, turn } from './world/waiting.ts';

/** Time in ms for which work goes on without a turn for others: short beside the time slices of a guest. */
const TURN_MS = 1;
/** Time without a turn while nothing but a signal or a display of progress may be waiting. */
const UNNOTICED_MS = 50;

/**
 * Gives turns to other work, but not after each small piece, as a turn of the event loop costs as much as hundreds of
 * pages.
 */
export class Turns {
  readonly #every: number;
  readonly #signal: AbortSignal | undefined;
  #start = clock();

  constructor(everyMs = TURN_MS, signal?: AbortSignal) {
    this.#every = everyMs;
    this.#signal = signal;
  }

  /**
   * For work during which nothing else waits, but which `signal` may end: reading and writing files, loops whose length
   * a file claims.
   */
  static rare(signal?: AbortSignal): Turns {
    return new Turns(UNNOTICED_MS, signal);
  }

  /** Other work has waited long enough, or this work is to end: `await give()`. */
  get areDue(): boolean {
    return this.#signal?.aborted === true || clock() - this.#start >= this.#every;
  }

  /** @throws InterruptedError if the signal is aborted */
  async give(): Promise<void> {
    await turn();
    if (this.#signal?.aborted) throw new InterruptedError();
    this.#start = clock();
  }
}
