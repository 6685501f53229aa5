import { EnvironmentError, InterruptedError, SavkitError } from '../../../formats/errors.ts';
import type { ByteSource } from '../../../formats/files/source.ts';
import type { PageBatch } from '../../../formats/pgm/page-batch.ts';
import { isPgm, PgmReader } from '../../../formats/pgm/pgm-reader.ts';
import type { Container, UnitHeader } from '../../../formats/ssm/container.ts';
import type { DirectoryEntry } from '../../../formats/ssm/layouts.ts';
import { openContainer } from '../../../formats/ssm/open.ts';
import { PayloadReader } from '../../../formats/ssm/payload.ts';
import { Turns } from '../../../formats/turns.ts';
import type { WalkOptions } from '../reading/walk.ts';

/**
 * Places in a pgm unit at which the reading went on after damage, by file offset: the RAM frame of the first record
 * there, undefined until it is known.
 */
export type Anchors = ReadonlyMap<number, number | undefined>;

/** A unit, and how far it could be read. */
export interface UnitOutcome {
  unit: UnitHeader;
  /** Of the file, header included; as far as it is known. */
  end: number;
  errors: SavkitError[];
  /** pgm: its pages were read up to its end, without a gap. */
  complete: boolean;
  /** pgm: the last of its pages was read. */
  sawLastPage: boolean;
  /** pgm: its head could be read. */
  hasHead: boolean;
  /**
   * The unit has lost bytes, or has got some too many: its header and the next one are displaced by different
   * distances.
   */
  isResized: boolean;
}

export interface Visitor {
  /** A batch of pages of pgm unit number `pass`, counted from 0. */
  pages?(batch: PageBatch, pass: number): void | Promise<void>;
  /** Records of pgm unit `pass` can't be read on. */
  broken?(pass: number): void;
  /**
   * Reading goes on after lost records of pgm unit `pass`; floating pages follow where `anchors` does not know the
   * place.
   */
  gap?(pass: number, offset: number): void;
  /** A unit other than pgm: take its payload, or leave it. */
  payload?(unit: UnitHeader, container: Container): Promise<void>;
  /** Before a pgm unit is read. True: it has been dealt with, its pages are not wanted. */
  beginPgm?(unit: UnitHeader, pass: number, container: Container): Promise<boolean>;
  endPgm?(outcome: UnitOutcome, pass: number): void | Promise<void>;
}

export interface SurvivorOptions extends Pick<WalkOptions, 'signal' | 'onProgress'> {
  anchors: Anchors;
  /** What blocks that can't be decompressed read as. */
  patchWith: number;
}

export interface Survivors {
  units: UnitOutcome[];
  /** Units may be missing after the last one. */
  cut: boolean;
  /** Damage outside of units. */
  errors: SavkitError[];
  /** Where unit headers were searched: units may have been lost there. */
  gaps: Gap[];
  /** Absent where it is lost, or was not reached. */
  directory: readonly DirectoryEntry[] | undefined;
}

/** A stretch of the file, `[start, end)`. */
export interface Gap {
  start: number;
  end: number;
  /** A unit header stood at its start, where it could not be read; or reading left a unit somewhere after its end. */
  hides: 'a unit' | 'maybe units';
}

/** Reads whatever can still be read of a damaged state, in file order. */
export async function readSurvivors(
  source: ByteSource,
  visitor: Visitor,
  options: SurvivorOptions,
): Promise<Survivors> {
  let reader: SurvivorReader | undefined;
  const early: SavkitError[] = [];
  const container = await openContainer(source, (error) => (reader ? reader.note(error) : early.push(error)));
  try {
    reader = new SurvivorReader(container, visitor, options, early);
    return await reader.run();
  } finally {
    container.release();
  }
}

/** The unit is whole, but stands elsewhere. */
export function isMove({ code, place }: SavkitError): boolean {
  return code === 'bad-unit' && place.field === 'offset';
}

class SurvivorReader {
  readonly #container: Container;
  readonly #visitor: Visitor;
  readonly #options: SurvivorOptions;
  readonly #pgm: PgmReader;
  readonly #units: UnitOutcome[] = [];
  /** Where damage that is met now belongs. */
  #errors: SavkitError[];
  readonly #outside: SavkitError[];
  readonly #gaps: Gap[] = [];
  readonly #turns: Turns;
  #passes = 0;
  /** Bytes by which the latest header stands before the place that it claims. */
  #shift = 0;

  constructor(container: Container, visitor: Visitor, options: SurvivorOptions, early: SavkitError[]) {
    this.#container = container;
    this.#visitor = visitor;
    this.#options = options;
    this.#turns = Turns.rare(options.signal);
    this.#outside = early;
    this.#errors = early;
    this.#pgm = new PgmReader(container, container.header.live);
    container.segments.window.patch = { fill: options.patchWith, onBadBlock: (error) => this.note(error) };
  }

  /** @throws what is no damage */
  note(error: unknown): void {
    if (!(error instanceof SavkitError) || error instanceof EnvironmentError || error instanceof InterruptedError)
      throw error;
    this.#errors.push(error);
  }

  async run(): Promise<Survivors> {
    const container = this.#container;
    while (await this.#step());
    return {
      units: this.#units,
      cut: !container.sawEnd,
      errors: this.#outside,
      gaps: this.#gaps,
      directory: container.directory,
    };
  }

  /** Reads one unit; false when nothing more can be found. */
  async #step(): Promise<boolean> {
    const container = this.#container;
    const errors: SavkitError[] = [];
    this.#errors = errors;
    let unit: UnitHeader | undefined;
    try {
      unit = await container.nextUnit();
    } catch (error) {
      this.note(error);
    }
    if (unit) {
      this.#noteMove(unit);
      return this.#readUnit(unit, errors);
    }
    this.#outside.push(...errors);
    return !container.sawEnd && this.#resync(this.#endOfGood, 'a unit');
  }

  /**
   * Where bytes of a damaged unit are missing, the header of the next one stands within what seems to be its payload.
   */
  get #endOfGood(): number {
    const before = this.#units.at(-1);
    const isGood = before === undefined || before.errors.every(isMove);
    return isGood ? this.#container.offset : before.unit.offset + before.unit.headerSize;
  }

  /** Where bytes are missing just between two units, whole ones may be. */
  #noteMove({ offset, claimedOffset = offset }: UnitHeader): void {
    const shift = claimedOffset - offset;
    const before = this.#units.at(-1);
    if (shift !== this.#shift) this.#gaps.push({ start: offset - 1, end: offset, hides: 'maybe units' });
    if (shift !== this.#shift && before) before.isResized = true;
    this.#shift = shift;
  }

  async #resync(start: number, hides: Gap['hides']): Promise<boolean> {
    const found = await this.#container.resync();
    if (found) this.#gaps.push({ start, end: this.#container.offset, hides });
    return found;
  }

  /** @returns whether reading can go on after the unit */
  async #readUnit(unit: UnitHeader, errors: SavkitError[]): Promise<boolean> {
    const container = this.#container;
    const outcome: UnitOutcome = {
      unit,
      end: unit.offset,
      errors,
      complete: false,
      sawLastPage: false,
      hasHead: false,
      isResized: false,
    };
    this.#units.push(outcome);
    const isHeaderWrong = errors.some((error) => !isMove(error));
    let inStep = true;
    try {
      if (isPgm(unit)) await this.#readPgm(unit, outcome);
      else if (this.#visitor.payload) await this.#visitor.payload(unit, container);
      else await new PayloadReader(container).drain();
      while (await container.nextSegments()) await this.#tick();
    } catch (error) {
      this.note(error);
      inStep = false;
    }
    outcome.end = container.offset;
    // A damaged header may name another unit.
    const start = unit.offset + (isHeaderWrong ? 0 : unit.headerSize);
    // The end of another unit may have been taken for its own.
    if (inStep && errors.some(({ code }) => code === 'bad-term'))
      this.#gaps.push({ start, end: container.offset, hides: 'maybe units' });
    return inStep || this.#resync(start, 'maybe units');
  }

  async #readPgm(unit: UnitHeader, outcome: UnitOutcome): Promise<void> {
    const pgm = this.#pgm;
    const pass = this.#passes++;
    if (await this.#visitor.beginPgm?.(unit, pass, this.#container)) return;
    try {
      await pgm.begin(unit);
      outcome.hasHead = true;
      outcome.complete = await this.#readPages(pass);
      outcome.sawLastPage = outcome.complete;
      while (!outcome.sawLastPage && (await this.#rejoin(pass))) outcome.sawLastPage = await this.#readPages(pass);
    } catch (error) {
      this.note(error);
      outcome.complete = false;
    }
    await this.#visitor.endPgm?.(outcome, pass);
  }

  /** @returns whether the end of the unit was reached; else its records are broken here */
  async #readPages(pass: number): Promise<boolean> {
    try {
      while (await this.#pgm.nextPages()) {
        await this.#visitor.pages?.(this.#pgm.batch, pass);
        await this.#tick();
      }
      return true;
    } catch (error) {
      this.note(error);
      // Where a file is cut its bytes have not changed.
      if ((error as SavkitError).code === 'truncated') return this.#pgm.sawLastRecord;
      this.#visitor.broken?.(pass);
      return false;
    }
  }

  async #rejoin(pass: number): Promise<boolean> {
    const { anchors } = this.#options;
    if (!(await this.#container.rejoin())) return false;
    const { offset } = this.#container;
    this.#visitor.gap?.(pass, offset);
    return this.#pgm.resume(anchors.get(offset));
  }

  async #tick(): Promise<void> {
    this.#options.onProgress?.(this.#container.offset);
    if (this.#turns.areDue) await this.#turns.give();
  }
}
