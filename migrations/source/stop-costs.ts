import { chooseProof } from '../policy/choose-proof.ts';
import { measureHashing } from '../proof/measure-hashing.ts';
import type { ProofReport } from '../report/report.ts';
import type { Departure } from './departure.ts';

/** Round trips while the machine stands still: everything and `ready`, `commit` and `running`. */
const ROUND_TRIPS = 2;
/** Decisions written while the machine stands still: one here, two at the target. */
const DECISIONS = 3;
/** The rest is told here, and read twice there: once to check it. */
export const REST_TIMES = 3;

/** What standing still takes besides pages, as measured while the machine runs. */
export class StopCosts {
  readonly #departure: Departure;
  /** The shortest time that a round has taken to settle. */
  #rttMs = Number.POSITIVE_INFINITY;
  #hashMs = 0;

  constructor(departure: Departure) {
    this.#departure = departure;
  }

  noteSettled(ms: number): void {
    this.#rttMs = Math.min(this.#rttMs, ms);
  }

  /** Looks how long things take now. */
  async measure(): Promise<void> {
    const { machine, sent, pending, limits } = this.#departure;
    // All that is not zeros is hashed.
    this.#hashMs = sent.contentPages * (await measureHashing(machine, pending.pageCount));
    if (this.#otherMs > limits.maxDowntimeMs) await this.#departure.measureAgain();
  }

  /** All of it, with the proof that there would be now. */
  get fixedMs(): number {
    return this.#otherMs + (this.chooseProof() === 'full' ? this.#hashMs : 0);
  }

  /** @param downtimeMs of a machine that goes whatever it takes: hashing may double that, but not more */
  chooseProof(downtimeMs = 0): ProofReport['mode'] {
    const { limits, options } = this.#departure;
    const { proof = 'auto' } = options;
    if (proof !== 'auto') return proof;
    return chooseProof({
      hashMs: this.#hashMs,
      otherMs: this.#otherMs,
      allowedMs: Math.max(limits.maxDowntimeMs, downtimeMs),
    });
  }

  /** All but hashing. */
  get #otherMs(): number {
    const { writeMs, restMs } = this.#departure;
    return this.#rttMs * ROUND_TRIPS + writeMs * DECISIONS + restMs * REST_TIMES;
  }
}
