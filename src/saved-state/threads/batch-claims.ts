/** An `Int32Array` that all threads of a crew share: how many batches have been claimed, and whether to stop. */
const CLAIMED = 0;
const STOPPED = 1;
export const CLAIMS_SIZE = 8;

/**
 * Shares the page batches of a file out among threads that all read it. Reading and finding the records is cheap (a tenth of a deep verify), so each
 * thread does that for itself, and whoever comes to a batch first does the work that it makes: nobody waits, and a thread that gets no processor costs
 * nothing. Batches are numbered by order, which is the same for all.
 */
export class BatchClaims {
  readonly #shared: Int32Array;
  #seen = 0;

  constructor(buffer: SharedArrayBuffer) {
    this.#shared = new Int32Array(buffer);
  }

  /** Whether the next batch is this thread's to work on. To be called once for each batch. */
  takesNext(): boolean {
    const batch = this.#seen++;
    return Atomics.compareExchange(this.#shared, CLAIMED, batch, batch + 1) === batch;
  }

  stop(): void {
    Atomics.store(this.#shared, STOPPED, 1);
  }

  get isStopped(): boolean {
    return Atomics.load(this.#shared, STOPPED) === 1;
  }
}
