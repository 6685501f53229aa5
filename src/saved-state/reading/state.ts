import type { Pass } from '../../../formats/errors.ts';
import type { PgmBasic, PgmConfig } from '../../../formats/pgm/head.ts';
import type { OldRange, PageTypeNumbering } from '../../../formats/pgm/old-ranges.ts';
import type { ContainerHeader, UnitHeader } from '../../../formats/ssm/container.ts';
import type { DirectoryEntry } from '../../../formats/ssm/layouts.ts';
import type { UnitFacts } from '../../../formats/units/table.ts';
import type { Finding } from './findings.ts';

/** Result of reading a whole saved state, without the contents of memory. */
export interface SavedState extends UnitFacts {
  /** The header of the file. */
  header: ContainerHeader;
  /** Number of bytes of the file that were read. */
  size: number;
  /** In file order; a live save has the same unit in several passes. */
  units: UnitSummary[];
  /** V2.0 */
  directory?: readonly DirectoryEntry[];
  /** Facts about guest memory; absent where there is no unit of guest memory. */
  pgm?: PgmSummary;
}

/** One unit, as it was read. */
export interface UnitSummary extends UnitHeader {
  /** Bytes in the file, header included. */
  size: number;
  /** Bytes of the decoded payload. */
  payloadSize: number;
  /** Damage in the unit. */
  findings: Finding[];
}

/** Facts from the units of guest memory. */
export interface PgmSummary {
  /** Version of the units. */
  version: number;
  /** Basic part of the unit; absent where the final pass is missing. */
  basic?: PgmBasic;
  /** Versions 10 and later. */
  config?: PgmConfig;
  /** Versions 6 to 9. */
  oldRanges: readonly OldRange[];
  /** Versions 7 to 9: the numbering of page types in the file. */
  pageTypes: PageTypeNumbering;
  /** Bytes of guest RAM; absent where no unit tells. */
  ramSize?: number;
  /** Passes in the order of the file. */
  passes: PassSummary[];
  /** Protection of each ROM page by range id, as of the end of the state; 0 where no record named the page. */
  romProtection: Map<number, Uint8Array>;
  /** By range id: 1 for each ROM page that some record gives a shadow. */
  shadowPages: Map<number, Uint8Array>;
  /** Frames from 0xA0000 to 0xFFFFF that hold RAM, as releases before 6.1 have it. */
  lowHoleRam: Set<number>;
  /** RAM frames that some record names. */
  ramPages: number;
}

/** One pass of the pgm unit; a plain save has one, `'final'`. */
export interface PassSummary {
  /** Number of the pass. */
  pass: Pass;
  /** Page records by `PageKind`. */
  records: number[];
  /** Bytes in the file. */
  size: number;
}
