import { FormatError } from '../../../formats/errors.ts';
import { PgmReader } from '../../../formats/pgm/pgm-reader.ts';
import type { Container, UnitHeader } from '../../../formats/ssm/container.ts';
import type { Anchors, UnitOutcome, Visitor } from './visitor.ts';

/** Callbacks during the reading of a unit. */
interface Reading {
  /** Notes damage. @throws errors other than damage */
  note(error: unknown): void;
  /** Reports progress, and gives other work its turn. */
  tick(): Promise<void>;
}

/**
 * Reads the readable pages of damaged pgm units: after a broken record, reading goes on at the next trustworthy one.
 */
export class SurvivingPages {
  readonly #container: Container;
  readonly #visitor: Visitor;
  readonly #anchors: Anchors;
  readonly #reading: Reading;
  readonly #pgm: PgmReader;
  #passes = 0;

  constructor(container: Container, visitor: Visitor, anchors: Anchors, reading: Reading) {
    this.#container = container;
    this.#visitor = visitor;
    this.#anchors = anchors;
    this.#reading = reading;
    this.#pgm = new PgmReader(container, container.header.live);
  }

  /** Reads the container's current unit, and completes its outcome. */
  async read(unit: UnitHeader, outcome: UnitOutcome): Promise<void> {
    const pgm = this.#pgm;
    const pass = this.#passes++;
    if (await this.#visitor.beginPgm?.(unit, pass, this.#container)) return;
    try {
      await pgm.begin(unit);
      outcome.hasHead = true;
      outcome.complete = await this.#readPages(pass);
      outcome.sawLastPage = outcome.complete;
      while (!outcome.sawLastPage && (await this.#rejoin(pass))) outcome.sawLastPage = await this.#readPages(pass);
      if (pgm.hasRest) this.#noteRest(outcome, pass);
    } catch (error) {
      this.#reading.note(error);
      outcome.complete = false;
    }
    await this.#visitor.endPgm?.(outcome, pass);
  }

  /**
   * Notes bytes after the last record: damaged blocks may have claimed wrong sizes; without such blocks, bytes were put
   * in somewhere.
   */
  #noteRest(outcome: UnitOutcome, pass: number): void {
    if (outcome.errors.some(({ code }) => code === 'bad-compression')) this.#visitor.broken?.(pass);
    else outcome.isResized = true;
  }

  /** @returns whether the end of the unit was reached; false at a broken record */
  async #readPages(pass: number): Promise<boolean> {
    try {
      while (await this.#pgm.nextPages()) {
        await this.#visitor.pages?.(this.#pgm.batch, pass);
        await this.#reading.tick();
      }
      return true;
    } catch (error) {
      this.#reading.note(error);
      // The remaining bytes of a truncated file are good.
      if (error instanceof FormatError && error.code === 'truncated') return this.#pgm.sawLastRecord;
      this.#visitor.broken?.(pass);
      return false;
    }
  }

  async #rejoin(pass: number): Promise<boolean> {
    if (!(await this.#container.rejoin())) return false;
    const { offset } = this.#container;
    this.#visitor.gap?.(pass, offset);
    return this.#pgm.resume(this.#anchors.get(offset));
  }
}
