import type { Cursor } from '../binary/cursor.ts';
import { END_OF_LIST } from '../binary/markers.ts';
import { hex, tooMany } from '../errors.ts';
import { MIB, PAGE_SHIFT, PAGE_SIZE } from '../sizes.ts';
import { changed } from './head.ts';
import { ramRange, rangeDescription } from './layouts.ts';
import type { PgmVersion } from './versions.ts';

/** `PGMPAGETYPE` as 2.2 and 3.0 store it (pgm-unit.md 5.1); version 6 is translated into it. */
export const OldPageType = {
  INVALID: 0,
  RAM: 1,
  MMIO2: 2,
  MMIO2_ALIAS_MMIO: 3,
  ROM_SHADOW: 4,
  ROM: 5,
  MMIO: 6,
} as const;
export const OLD_PAGE_TYPE_NAMES = [
  'invalid',
  'ram',
  'mmio2',
  'mmio2-alias-mmio',
  'rom-shadow',
  'rom',
  'mmio',
] as const;

export const PAGE_TYPE_NUMBERINGS = ['original', '4.3'] as const;
/**
 * A file's numbers for page types. 2.2 and 3.0 wrote `original`; loaders since 4.3 take these for other types
 * (pgm-unit.md 5.1), and a file made for such loaders has their numbers.
 */
export type PageTypeNumbering = (typeof PAGE_TYPE_NUMBERINGS)[number];

/** Neighbouring pages of one type. */
export interface PageRun {
  /** A number of `OldPageType`: 1 RAM, 2 MMIO2, 3 MMIO2 shown in MMIO, 4 shadow of ROM, 5 ROM, 6 MMIO. */
  type: number;
  /** First page within the range. */
  page: number;
  /** Pages of 4 KiB. */
  count: number;
}

/** A range of versions 6 to 9, with RAM, ROM or device memory. */
export interface OldRange {
  /** Number in the order of the file. */
  index: number;
  /** Guest-physical address. */
  start: number;
  /** Pages of 4 KiB. */
  pages: number;
  /** The range has linear memory of its own: MMIO2. */
  ownMemory: boolean;
  /** Description of the range; empty in version 6. */
  description: string;
  /** Types of the pages; complete once the range has been read. */
  runs: PageRun[];
}

/** Ranges at most: machines have some ten, and as many runs of types. */
const MAX_RANGES = 1024;
const MAX_RUNS = 1024;

/** Reads the head of the next range; undefined at the end of the list. */
export function readRangeHead(cursor: Cursor, version: PgmVersion, index: number): OldRange | undefined {
  const sequence = cursor.u32();
  if (sequence === END_OF_LIST) return undefined;
  if (sequence !== index) throw changed('RAM range', `number ${sequence}, expected ${index}`);
  if (index >= MAX_RANGES) throw tooMany('RAM ranges', MAX_RANGES);
  const { first, last, size, ownMemory } = ramRange.read(cursor);
  const description = version.rangeDescriptions ? rangeDescription.read(cursor) : '';
  if (ownMemory > 1) throw changed(`RAM range ${index}`, `fHaveBits is ${ownMemory}`);
  if (
    first % PAGE_SIZE !== 0 ||
    last < first ||
    last + 1 - first !== size ||
    size % PAGE_SIZE !== 0 ||
    last >= 2 ** (32 + PAGE_SHIFT)
  ) {
    throw changed(
      `RAM range ${index}`,
      `first ${hex(first)}, last ${hex(last)}, ${hex(size)} bytes do not fit`,
      'VERR_SSM_LOAD_CONFIG_MISMATCH',
    );
  }
  return { index, start: first, pages: size / PAGE_SIZE, ownMemory: ownMemory === 1, description, runs: [] };
}

/** Notes the type of page `page`, which follows the one noted last. */
export function noteType(range: OldRange, type: number, page: number): void {
  const last = range.runs[range.runs.length - 1];
  if (last?.type === type) last.count++;
  else if (range.runs.length < MAX_RUNS) range.runs.push({ type, page, count: 1 });
  else throw tooMany(`types of RAM range ${range.index}`, MAX_RUNS);
}

/**
 * Whether version 6 stores the range in 1 MiB chunks; the file does not have the flag, so this follows the rule of
 * today's loaders.
 */
export function hasChunks(range: Pick<OldRange, 'start' | 'pages' | 'ownMemory'>): boolean {
  return !range.ownMemory && range.start + range.pages * PAGE_SIZE - 1 < 0xe000_0000;
}

export const CHUNK_PAGES = MIB / PAGE_SIZE;
