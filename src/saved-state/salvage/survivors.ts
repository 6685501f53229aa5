import { EnvironmentError, FormatError, hex, InterruptedError, SavkitError } from '../../../formats/errors.ts';
import type { Stretch } from '../../../formats/files/readable-parts.ts';
import type { ByteSource } from '../../../formats/files/source.ts';
import { isPgm } from '../../../formats/pgm/pgm-reader.ts';
import type { Container, UnitHeader } from '../../../formats/ssm/container.ts';
import type { DirectoryEntry } from '../../../formats/ssm/layouts.ts';
import { openContainer } from '../../../formats/ssm/open.ts';
import { PayloadReader } from '../../../formats/ssm/payload.ts';
import { Turns } from '../../../formats/turns.ts';
import type { WalkOptions } from '../reading/walk.ts';
import { SurvivingPages } from './surviving-pages.ts';
import type { Anchors, UnitOutcome, Visitor } from './visitor.ts';

export interface SurvivorOptions extends Pick<WalkOptions, 'signal' | 'onProgress'> {
  anchors: Anchors;
  /** Byte value of blocks that can't be decompressed. */
  patchWith: number;
  /** Stretches of the file that turned out to be unreadable so far. */
  unreadable?: readonly Stretch[];
}

export interface Survivors {
  units: UnitOutcome[];
  /** Units may be missing after the last one. */
  cut: boolean;
  /** Damage outside of units. */
  errors: SavkitError[];
  /** Stretches in which unit headers were searched: units may have been lost there. */
  gaps: Gap[];
  /** Directory of the file; undefined where it was lost or not reached. */
  directory: readonly DirectoryEntry[] | undefined;
}

/** A stretch of the file, `[start, end)`. */
export interface Gap {
  start: number;
  end: number;
  /** `a unit`: an unreadable unit header is at its start; `maybe units`: reading went past the end of a unit. */
  hides: 'a unit' | 'maybe units';
}

/** Reads all readable parts of a damaged state, in file order. */
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

/** Whether the unit is whole, but was displaced. */
export function isMove({ code, place }: SavkitError): boolean {
  return code === 'bad-unit' && place.field === 'offset';
}

class SurvivorReader {
  readonly #container: Container;
  readonly #visitor: Visitor;
  readonly #options: SurvivorOptions;
  readonly #pages: SurvivingPages;
  readonly #units: UnitOutcome[] = [];
  /** List for damage that is found next. */
  #errors: SavkitError[];
  readonly #outside: SavkitError[];
  readonly #gaps: Gap[] = [];
  readonly #turns: Turns;
  /** Distance of the last header before the offset that it claims. */
  #shift = 0;

  constructor(container: Container, visitor: Visitor, options: SurvivorOptions, early: SavkitError[]) {
    this.#container = container;
    this.#visitor = visitor;
    this.#options = options;
    this.#turns = Turns.rare(options.signal);
    this.#outside = early;
    this.#errors = early;
    this.#pages = new SurvivingPages(container, visitor, options.anchors, {
      note: (error) => this.note(error),
      tick: () => this.#tick(),
    });
    const onBadBlock = (error: SavkitError) => {
      this.note(error);
      if (container.unit && isPgm(container.unit)) visitor.badBlock?.();
    };
    container.segments.window.patch = { fill: options.patchWith, onBadBlock };
  }

  /** @throws errors other than damage */
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

  /** Reads one unit. @returns false if nothing more can be found */
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
    if (container.sawEnd) return false;
    if (errors.some(({ code }) => code === 'bad-unit-magic')) this.#doubtUnproven();
    return this.#resync(this.#endOfGood, 'a unit');
  }

  /**
   * Doubts the last unit of V1.x, whose units have no checksums: if bytes of the file are missing and no unit follows,
   * the last bytes of this unit may belong to a lost one.
   */
  #doubtUnproven(): void {
    const before = this.#units.at(-1);
    if (!before || !this.#lacksBytes) return;
    const { name, offset } = before.unit;
    const message = `Cannot trust unit ${name}: the file has another size than it claims, and no unit follows this one`;
    before.errors.push(new FormatError('bad-unit', message, { offset, field: 'size' }, 'VERR_SSM_INTEGRITY_UNIT'));
    before.isResized = true;
  }

  /** V1.x, whose units have no checksums: whether bytes of the file are missing, or were put in. */
  get #lacksBytes(): boolean {
    return !this.#isProven && this.#outside.some(({ code }) => code === 'bad-size');
  }

  /** Whether headers and ends of units hold checksums. */
  get #isProven(): boolean {
    return this.#container.header.format === '2.0';
  }

  /**
   * End of the good part of a unit: where bytes of a damaged unit are missing, the next header is within its apparent
   * payload.
   */
  get #endOfGood(): number {
    const before = this.#units.at(-1);
    const isGood = before === undefined || before.errors.every(isMove);
    return isGood ? this.#container.offset : before.unit.offset + (this.#isProven ? before.unit.headerSize : 0);
  }

  /** Notes a gap where bytes between two units are missing: whole units may have been among them. */
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
    const isHeaderProven = this.#isProven && errors.every(isMove);
    let inStep = true;
    try {
      if (isPgm(unit)) await this.#pages.read(unit, outcome);
      else if (this.#visitor.payload) await this.#visitor.payload(unit, container);
      else await new PayloadReader(container).drain();
      while (await container.nextSegments()) await this.#tick();
    } catch (error) {
      this.note(error);
      inStep = false;
    }
    outcome.end = container.offset;
    this.#noteUnreadable(outcome);
    // A damaged header may belong to another unit.
    const start = unit.offset + (isHeaderProven ? unit.headerSize : 0);
    // Reading may have ended at the end of another unit.
    if (inStep && errors.some(({ code }) => code === 'bad-term'))
      this.#gaps.push({ start, end: container.offset, hides: 'maybe units' });
    if (inStep) return true;
    const claimedEnd = unit.offset + container.unitSize;
    const found = await this.#resync(start, 'maybe units');
    if (found && this.#lacksBytes && container.offset !== claimedEnd) outcome.isResized = true;
    return found;
  }

  #noteUnreadable({ unit: { name, offset }, end, errors }: UnitOutcome): void {
    const first = this.#options.unreadable?.find((stretch) => stretch.end > offset && stretch.start < end);
    if (!first) return;
    const message = `Cannot read all of unit ${name}: the disk does not give its bytes from ${hex(first.start)} on`;
    errors.unshift(new FormatError('unreadable', message, { offset: first.start }));
  }

  async #tick(): Promise<void> {
    this.#options.onProgress?.(this.#container.offset);
    if (this.#turns.areDue) await this.#turns.give();
  }
}
