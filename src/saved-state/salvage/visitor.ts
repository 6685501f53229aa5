import type { SavkitError } from '../../../formats/errors.ts';
import type { PageBatch } from '../../../formats/pgm/page-batch.ts';
import type { Container, UnitHeader } from '../../../formats/ssm/container.ts';

/**
 * Places in a pgm unit where reading went on after damage, by file offset, with the RAM frame of the first record
 * there; undefined while it is not known.
 */
export type Anchors = ReadonlyMap<number, number | undefined>;

/** A unit, with the extent to which it could be read. */
export interface UnitOutcome {
  unit: UnitHeader;
  /** Known end of the unit in the file. */
  end: number;
  errors: SavkitError[];
  /** pgm: its pages were read up to its end, without a gap. */
  complete: boolean;
  /** pgm: the last of its pages was read. */
  sawLastPage: boolean;
  /** pgm: its head could be read. */
  hasHead: boolean;
  /**
   * Bytes of the unit were lost or inserted: its header and the next one are displaced by different distances, or
   * payload is left over after the pages, and no damaged block accounts for that.
   */
  isResized: boolean;
}

/** Callbacks during the reading of a damaged state. */
export interface Visitor {
  /** A batch of pages of pgm unit number `pass`, counted from 0. */
  pages?(batch: PageBatch, pass: number): void | Promise<void>;
  /** The next record of pgm unit `pass` cannot be read, or payload is left over after the last one. */
  broken?(pass: number): void;
  /** A block of a pgm unit cannot be decompressed. */
  badBlock?(): void;
  /**
   * Called when reading goes on after lost records of pgm unit `pass`; if `anchors` lacks the place, the addresses of
   * the next pages are unknown.
   */
  gap?(pass: number, offset: number): void;
  /** Called for a unit other than pgm, whose payload may be taken or left. */
  payload?(unit: UnitHeader, container: Container): Promise<void>;
  /** Called before a pgm unit is read. Returns true to skip its pages. */
  beginPgm?(unit: UnitHeader, pass: number, container: Container): Promise<boolean>;
  endPgm?(outcome: UnitOutcome, pass: number): void | Promise<void>;
}
