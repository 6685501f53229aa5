import { END_OF_LIST } from '../binary/markers.ts';
import { FormatError, UnsupportedError } from '../errors.ts';
import { PAGE_SIZE } from '../sizes.ts';
import type { Container, UnitHeader } from '../ssm/container.ts';
import { PayloadReader } from '../ssm/payload.ts';
import { ChunkedPages } from './chunked-pages.ts';
import { type PgmBasic, type PgmConfig, readBasic, readConfig } from './head.ts';

import { type OldRange, type PageTypeNumbering, readRangeHead } from './old-ranges.ts';
import { PageBatch } from './page-batch.ts';
import { PageRecords, type PageStop } from './page-records.ts';
import { PageTypes } from './page-types.ts';
import { hasRamInLowHole, KnownRanges } from './ranges.ts';
import { TypedPages } from './typed-pages.ts';
import { type PgmVersion, pgmVersion } from './versions.ts';

const PGM_UNIT = { name: 'pgm', instance: 1 } as const;

export function isPgm(unit: Pick<UnitHeader, 'name' | 'instance'>): boolean {
  return unit.name === PGM_UNIT.name && unit.instance === PGM_UNIT.instance;
}

interface PageScanner {
  scan(payload: PayloadReader, batch: PageBatch): PageStop;
}

/** The first record of a pass has an address, or is the end. */
const ADDRESSED = 0x80;

/**
 * Offset of the separator after the basic part of version 6 if guest pointers take 4 bytes; it is 37 if they take 8.
 */
const SEPARATOR_WITH_NARROW_POINTER = 33;

/**
 * Reads the pgm units of one state, all passes in order: `begin` at each unit, then `nextPages` until it gives false.
 * Facts from the heads stay here; of repeated pages the last one counts.
 */
export class PgmReader {
  /** The pages that `nextPages` fetched. */
  readonly batch: PageBatch;
  /** Version of the unit that was begun last. */
  version: PgmVersion | undefined;
  /** Basic part of the last unit of the final pass; undefined before. */
  basic: PgmBasic | undefined;
  /** Config block of the first unit that has it; undefined before, and in versions 6 to 9. */
  config: PgmConfig | undefined;
  /** Versions 6 to 9: the ranges with their page types, in place of `config`. */
  readonly oldRanges: OldRange[] = [];
  readonly #container: Container;
  readonly #known = new KnownRanges();
  readonly #pageTypes = new PageTypes();
  /** RAM size that the mm unit holds, for versions that don't store it. */
  ramSizeHint: number | undefined;
  #sawPass0 = false;
  /** The mark after the last page record of the unit was read. */
  sawLastRecord = false;
  /** The unit was read to its end, and payload is left over, as V1.x containers tolerate; VirtualBox writes none. */
  hasRest = false;
  /** Damage after pages that are still to be handed out. */
  #damage: unknown;
  #payload: PayloadReader;
  #scanner: PageScanner | undefined;

  readonly #listsMayBeLost: boolean;

  /**
   * @param listsMayBeLost read live passes also where the unit of pass 0, which names ROMs and MMIO2 ranges, is lost
   */
  constructor(container: Container, listsMayBeLost = false) {
    this.#container = container;
    this.#listsMayBeLost = listsMayBeLost;
    this.#payload = new PayloadReader(container);
    this.batch = new PageBatch(container.segments.window);
  }

  /** Bytes of guest RAM, as far as the units so far tell. */
  get ramSize(): number | undefined {
    return this.config?.ramSize ?? this.ramSizeHint ?? this.basic?.ramSize;
  }

  /** Versions 7 to 9: the file's numbers of page types, as far as its pages so far show them. */
  get pageTypes(): PageTypeNumbering {
    return this.#pageTypes.numbering ?? 'original';
  }

  /** Guest-physical address of a ROM page; undefined where the state does not hold it. */
  romAddress(id: number, page: number): number | undefined {
    const start = this.config ? this.config.roms.find((rom) => rom.id === id)?.address : this.oldRanges[id]?.start;
    return start === undefined ? undefined : start + page * PAGE_SIZE;
  }

  /**
   * Starts with the container's current unit and reads its head.
   * @throws UnsupportedError for an unknown version, FormatError for a damaged head
   */
  async begin(unit: UnitHeader): Promise<void> {
    this.version = versionOf(unit);
    this.#payload = new PayloadReader(this.#container);
    this.#scanner = undefined;
    this.#damage = undefined;
    this.sawLastRecord = false;
    this.hasRest = false;
    this.batch.clear();
    const { version } = this;
    if (unit.pass === 'final') {
      await this.#settlePointerWidth(version);
      this.basic = await this.#payload.parse((cursor) => readBasic(cursor, version));
    }
    if (version.pages !== 'records') return;
    if (unit.pass === 0) this.#sawPass0 = true;
    const lostLists = this.#listsMayBeLost && this.config === undefined && unit.pass !== 0;
    if (lostLists && (unit.pass !== 'final' || (await this.#startsWithRecord(version)))) this.#known.allowAny();
    else if (unit.pass === 0 || (unit.pass === 'final' && !this.#sawPass0)) {
      this.config = await this.#payload.parse((cursor) => readConfig(cursor, version));
      this.#known.describe(this.config, this.ramSizeHint);
    }
    this.#scanner = this.#newPageRecords();
  }

  /**
   * Continues in a unit that the container has rejoined. VirtualBox writes the content of a page as one container
   * record, and the bytes before it, which begin with the head of a page record, as one or more smaller records. So
   * reading continues with such smaller records, or else after the next whole page.
   * @param frame of the first page, where it is known; else RAM pages are *floating* until a record has an address:
   * they are counted from 0
   * @returns false if the unit ends before, or has no page records that can be read without the lost bytes
   */
  async resume(frame: number | undefined): Promise<boolean> {
    const { segments } = this.#container;
    this.#payload = new PayloadReader(this.#container);
    this.#damage = undefined;
    this.#scanner = undefined;
    if (this.version?.pages !== 'records') return false;
    while (await this.#payload.more()) {
      const page = segments.size.subarray(0, segments.count).indexOf(PAGE_SIZE);
      if (page < 0) continue;
      this.#payload.takeSegments(page > 0 ? 0 : page + 1);
      const records = this.#newPageRecords();
      records.resume(frame);
      this.#scanner = records;
      return true;
    }
    return false;
  }

  #newPageRecords(): PageRecords {
    const { release, widths } = this.#container.header;
    return new PageRecords({ ranges: this.#known, ramInLowHole: hasRamInLowHole(release), gcPhysWidth: widths.gcPhys });
  }

  /**
   * Fills `batch` with the next page records of the unit; false at its end, which is checked. Invalidates earlier
   * contents.
   */
  async nextPages(): Promise<boolean> {
    const { batch } = this;
    const payload = this.#payload;
    if (this.#damage) throw this.#damage;
    batch.clear();
    batch.window = this.#container.segments.window;
    for (;;) {
      this.#scanner ??= await this.#nextRange();
      if (!this.#scanner) {
        this.hasRest = await payload.expectEnd();
        return false;
      }
      const stop = this.#scan(this.#scanner);
      if (stop === 'end') {
        this.#scanner = undefined;
        this.sawLastRecord = this.version?.pages === 'records';
      }
      if (batch.count > 0) return true;
      if (stop === 'more' && !(await payload.more())) throw this.#tooShort();
    }
  }

  /** Scans pages; those before damage are good, and handed out first. */
  #scan(scanner: PageScanner): PageStop {
    try {
      return scanner.scan(this.#payload, this.batch);
    } catch (error) {
      if (this.batch.count === 0) throw error;
      this.#damage = error;
      return 'full';
    }
  }

  /** Versions 6 to 9: the scanner of the next range; undefined after the last. */
  async #nextRange(): Promise<PageScanner | undefined> {
    const { version } = this;
    if (!version || version.pages === 'records') return undefined;
    // A file made for today's loaders has no separator at its end (pgm-unit.md 5.1).
    if (this.#pageTypes.numbering === '4.3' && (await this.#payload.isAtEnd())) return undefined;
    const range = await this.#payload.parse((cursor) => readRangeHead(cursor, version, this.oldRanges.length));
    if (!range) return undefined;
    this.oldRanges.push(range);
    return version.pages === 'chunks' ? new ChunkedPages(range) : new TypedPages(range, this.#pageTypes);
  }

  /**
   * Whether a page record stands in place of the config block, which starts with the page-aligned size of the RAM hole.
   */
  async #startsWithRecord(version: PgmVersion): Promise<boolean> {
    const first = await this.#payload.parse((cursor) => {
      const byte = cursor.u8();
      cursor.at--;
      return byte;
    });
    return version.ramConfig && first >= ADDRESSED;
  }

  /**
   * Finds the width of pointers in V1.1, which does not store it, by the place of version 6's separator
   * (ssm-container.md 2.1).
   */
  async #settlePointerWidth(version: PgmVersion): Promise<void> {
    const { header } = this.#container;
    if (version.basic !== 'one-cpu-unmarked' || header.widthsStored) return;
    const separator = await this.#payload.parse((cursor) => {
      const start = cursor.take(SEPARATOR_WITH_NARROW_POINTER);
      const value = cursor.u32();
      cursor.at = start;
      return value;
    });
    header.widths.gcPtr = separator === END_OF_LIST ? 4 : 8;
  }

  #tooShort(): FormatError {
    const { place } = this.#payload;
    return new FormatError(
      'too-short',
      'Cannot read unit pgm: the payload ends too early',
      place,
      'VERR_SSM_LOADED_TOO_MUCH',
    );
  }
}

/** @throws UnsupportedError for a version that no loader knows, or that a live pass can't have */
function versionOf(unit: UnitHeader): PgmVersion {
  const version = pgmVersion(unit.version);
  if (version && (unit.pass === 'final' || version.pages === 'records')) return version;
  const where = unit.pass === 'final' ? '' : ` in live pass ${unit.pass}`;
  const message = `Cannot read unit pgm: version ${unit.version}${where}, expected 6 to 14 (10 to 14 in live passes)`;
  throw new UnsupportedError(
    'unsupported-version',
    message,
    { offset: unit.offset, unit: unit.name, version: unit.version },
    'VERR_SSM_UNSUPPORTED_DATA_UNIT_VERSION',
  );
}
