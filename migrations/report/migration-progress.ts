import { PAGE_SIZE } from '../../formats/sizes.ts';
import { clock } from '../../formats/world/waiting.ts';
import type { ProgressFigures } from './report.ts';

/** Shortest time between two reports of figures. */
const EVERY_MS = 100;
/** The first pass over memory is most of the work; later rounds share the rest of the bar. */
const FIRST_ROUND_SHARE = 0.8;

/** Progress of a migration. Fractions never decrease, even if the guest dirties pages. */
export class MigrationProgress {
  readonly #pageCount: number;
  #round = 0;
  #size = 0;
  #told = 0;
  #total = 0;
  #dirtyRate = 0;
  #downtimeMs = 0;
  #earlierBytes = 0;
  #roundBytes = 0;

  constructor(pageCount: number) {
    this.#pageCount = pageCount;
  }

  beginRound(round: number, pages: number): void {
    this.#round = round;
    this.#size = pages;
    this.#earlierBytes += this.#roundBytes;
    this.#roundBytes = 0;
  }

  endRound(dirtyRate: number, downtimeMs: number): void {
    this.#dirtyRate = dirtyRate;
    this.#downtimeMs = downtimeMs;
  }

  /** Figures after `done` pages of the round; undefined if the last ones are recent enough. */
  update(done: number, bytes: number, rate: number, bytesPerPage: number, now = clock()): ProgressFigures | undefined {
    this.#roundBytes = bytes;
    if (now - this.#told < EVERY_MS) return undefined;
    this.#told = now;
    const ofRound = this.#size === 0 ? 1 : Math.min(1, done / this.#size);
    this.#total = Math.max(this.#total, this.#totalAt(ofRound));
    const left = ((this.#size - done) * bytesPerPage * 1000) / rate;
    return {
      round: this.#round,
      ofRound,
      total: this.#total,
      bytes: this.#earlierBytes + bytes,
      rate,
      dirtyRate: this.#dirtyRate,
      downtimeMs: this.#downtimeMs,
      leftMs: [left, this.#longest(left, rate, bytesPerPage)],
    };
  }

  /** Share of all the work that is done at a share of this round: each round after the first takes half of the rest. */
  #totalAt(ofRound: number): number {
    if (this.#round === 0) return FIRST_ROUND_SHARE * ofRound;
    const left = (1 - FIRST_ROUND_SHARE) * 0.5 ** (this.#round - 1);
    return 1 - left + (left / 2) * ofRound;
  }

  /**
   * Time left if the guest goes on dirtying pages: each round is shorter by the ratio of the guest's rate to the
   * link's.
   */
  #longest(left: number, rate: number, bytesPerPage: number): number {
    const ratio = (this.#dirtyRate * bytesPerPage) / PAGE_SIZE / rate;
    const longest = ratio < 0.95 ? left / (1 - ratio) : (20 * this.#pageCount * bytesPerPage * 1000) / rate;
    return Math.max(left, longest) + this.#downtimeMs;
  }
}
