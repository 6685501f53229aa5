import { clock } from '../../formats/world/waiting.ts';
import { fullProofFits } from '../policy/choose-proof.ts';
import { measureHashing } from '../proof/measure-hashing.ts';
import type { ProofReport } from '../report/report.ts';
import type { LimitsOfNow, MigrationFacts } from './migration-facts.ts';
import type { SourceCustody } from './source-custody.ts';
import type { Transfer } from './transfer.ts';

/** Round trips while the machine stands still: the last pages are answered by `ready`, `commit` by `running`. */
const ROUND_TRIPS = 2;
/** Decisions written while the machine stands still: one here, two at the target. */
const DECISIONS = 3;
/**
 * Passes over the rest (the machine without its pages): written once here, and read twice at the target, the first time
 * only to check it.
 */
export const REST_TIMES = 3;

interface Parts {
  facts: MigrationFacts;
  limits: LimitsOfNow;
  transfer: Transfer;
  custody: SourceCustody;
}

/** Expected downtime without pages, from measurements while the machine runs. */
export class StopCosts {
  readonly #parts: Parts;
  /** Time to write a decision, and to write the machine without its pages. */
  #writeMs = 0;
  #restMs = 0;
  /** The shortest time that a round has taken to settle. */
  #rttMs = Number.POSITIVE_INFINITY;
  #hashMs = 0;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  noteWrite(ms: number): void {
    this.#writeMs = ms;
  }

  /** Begins anew with another link, for which the old figures do not hold. @param restMs time to write the rest */
  beginLink(restMs: number): void {
    this.#restMs = restMs;
    this.#rttMs = Number.POSITIVE_INFINITY;
    this.#hashMs = 0;
  }

  noteSettled(ms: number): void {
    this.#rttMs = Math.min(this.#rttMs, ms);
  }

  /** Measures all parts of the downtime anew. */
  async measure(): Promise<void> {
    const { facts, transfer, limits } = this.#parts;
    // All that is not zeros is hashed.
    this.#hashMs = transfer.sent.contentPages * (await measureHashing(facts.machine, facts.space.pageCount));
    if (this.#otherMs > limits.now.maxDowntimeMs) await this.#measureAgain();
  }

  /** Expected downtime without pages in ms, with the proof that would be chosen now. */
  get fixedMs(): number {
    return this.#otherMs + (this.chooseProof() === 'full' ? this.#hashMs : 0);
  }

  /** @param downtimeMs expected downtime of a machine that is moved at any cost; hashing may at most double it */
  chooseProof(downtimeMs = 0): ProofReport['mode'] {
    const { limits, facts } = this.#parts;
    const { proof = 'auto' } = facts.options;
    const figures = {
      hashMs: this.#hashMs,
      otherMs: this.#otherMs,
      allowedMs: Math.max(limits.now.maxDowntimeMs, downtimeMs),
    };
    const isFull = facts.machine.missesWrites === true || fullProofFits(figures);
    if (proof === 'full' || (proof === 'auto' && isFull)) return 'full';
    return facts.machine.comparesMemory ? 'compared' : 'audited';
  }

  /** Expected downtime without pages and hashing, in ms. */
  get #otherMs(): number {
    const { stopMs } = this.#parts.facts.machine;
    return this.#rttMs * ROUND_TRIPS + this.#writeMs * DECISIONS + (stopMs ?? this.#restMs * REST_TIMES);
  }

  /** Measures writing and a round trip again: the first time of either is slow. */
  async #measureAgain(): Promise<void> {
    const { facts, custody } = this.#parts;
    const start = clock();
    await custody.writeMigrating();
    const written = clock();
    await facts.machine.outline();
    this.#writeMs = Math.min(this.#writeMs, written - start);
    this.#restMs = Math.min(this.#restMs, clock() - written);
  }
}
