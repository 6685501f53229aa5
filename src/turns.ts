import { setImmediate } from 'node:timers/promises';
import { InterruptedError } from '../formats/errors.ts';

/** So long others wait while something is done in one go: short beside the time slices of a guest. */
const TURN_MS = 1;
/** So long a signal waits where nobody else does: much shorter than people notice. */
const UNNOTICED_MS = 50;

/** Lets others run in between, but not after each small piece: a turn of the event loop costs as much as hundreds of pages. */
export class Turns {
  readonly #every: number;
  readonly #signal: AbortSignal | undefined;
  #start = performance.now();

  /** @param signal ends the work at the next turn; without others to wait for, turns are rare then */
  constructor(signal?: AbortSignal) {
    this.#signal = signal;
    this.#every = signal ? UNNOTICED_MS : TURN_MS;
  }

  /** The others have waited long enough: `await give()`. */
  get areDue(): boolean {
    return performance.now() - this.#start >= this.#every;
  }

  /** @throws InterruptedError where the signal says so */
  async give(): Promise<void> {
    await setImmediate();
    if (this.#signal?.aborted) throw new InterruptedError();
    this.#start = performance.now();
  }
}
