import { setImmediate } from 'node:timers/promises';

/** So long others wait while something is done in one go: short beside the time slices of a guest. */
const TURN_MS = 1;

/** Lets others run in between, but not after each small piece: a turn of the event loop costs as much as hundreds of pages. */
export class Turns {
  #start = performance.now();

  /** The others have waited long enough: `await give()`. */
  get areDue(): boolean {
    return performance.now() - this.#start >= TURN_MS;
  }

  async give(): Promise<void> {
    await setImmediate();
    this.#start = performance.now();
  }
}
