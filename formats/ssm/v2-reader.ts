import { Cursor } from '../binary/cursor.ts';
import { FormatError, hex, type OnDamage } from '../errors.ts';
import { truncated, type Window } from '../files/window.ts';
import type { Container, ContainerHeader, OpenOptions, UnitHeader } from './container.ts';
import { badUnit, startsWith, unitName } from './header-rules.ts';
import { type DirectoryEntry, END_MAGIC, PASS_FINAL, termRecord, UNIT_MAGIC, unitHeaderV2 } from './layouts.ts';
import { RecordScanner, type Stop } from './record-scanner.ts';
import { SegmentTable } from './segments.ts';
import { StreamCrc } from './stream-crc.ts';
import { V2FileEnd } from './v2-file-end.ts';
import { checkRelease, FILE_HEADER_SIZE, readFileHeader } from './v2-head.ts';
import { V2Recovery } from './v2-recovery.ts';
import { judgeTerm, judgeUnitHeader, TERM_SIZE } from './v2-rules.ts';

const UNIT_HEADER_SIZE = unitHeaderV2.size();
/** `SSM_MAX_NAME_SIZE`: longest name with its NUL. */
const MAX_NAME_SIZE = 48;

/**
 * Reads a V2.0 container (ssm-container.md 3). Checks have the loader's order (section 4); "rows" in comments are those
 * of its table.
 */
export class V2Reader implements Container {
  readonly header: ContainerHeader;
  readonly segments: SegmentTable;
  directory: DirectoryEntry[] | undefined;
  unit: UnitHeader | undefined;
  sawEnd = false;
  readonly #window: Window;
  readonly #onDamage: OnDamage;
  readonly #crc: StreamCrc;
  readonly #records = new RecordScanner();
  readonly #recovery: V2Recovery;
  readonly #end: V2FileEnd;
  #unitMark: { offset: number; crc: number } | undefined;
  /** Whether reading is within a unit's records. */
  #inUnit = false;

  static async open(window: Window, onDamage: OnDamage, options: OpenOptions = {}): Promise<V2Reader> {
    await window.need(FILE_HEADER_SIZE, 'file header');
    const reader = new V2Reader(window, onDamage);
    if (options.skipCrc) reader.#crc.disable();
    await reader.#end.checkFirst();
    checkRelease(window.bytes.subarray(window.position - FILE_HEADER_SIZE, window.position), onDamage);
    return reader;
  }

  private constructor(window: Window, onDamage: OnDamage) {
    this.#window = window;
    this.#onDamage = onDamage;
    this.#crc = new StreamCrc(window);
    this.segments = new SegmentTable(window);
    this.#recovery = new V2Recovery(window);
    this.header = readFileHeader(window.bytes.subarray(window.position), onDamage);
    window.position += FILE_HEADER_SIZE;
    this.#end = new V2FileEnd(window, this.#crc, this.header, onDamage);
  }

  get offset(): number {
    return this.#window.offset;
  }

  get unitSize(): number {
    return this.unit ? this.offset - this.unit.offset : 0;
  }

  async nextUnit(): Promise<UnitHeader | undefined> {
    while (this.#inUnit) await this.nextSegments();
    const window = this.#window;
    await window.crc.settle();
    await window.need(UNIT_HEADER_SIZE, 'unit header');
    this.#unitMark = window.mark();
    const { position, offset } = window;
    const isEnd = startsWith(window.bytes, position, END_MAGIC);
    if (!isEnd && !startsWith(window.bytes, position, UNIT_MAGIC)) {
      throw new FormatError(
        'bad-unit-magic',
        `Cannot read unit at ${hex(offset)}: no unit starts there`,
        { offset },
        'VERR_SSM_INTEGRITY_UNIT_MAGIC',
      );
    }
    this.unit = await this.#readUnitHeader(isEnd);
    if (isEnd) {
      this.unit = undefined;
      this.sawEnd = true;
      this.directory = await this.#end.read();
      return undefined;
    }
    this.#inUnit = true;
    this.#records.reset();
    this.segments.payloadSize = 0;
    return this.unit;
  }

  /** Reads and checks the header of a unit (rows 11 to 15). */
  async #readUnitHeader(isEnd: boolean): Promise<UnitHeader> {
    const window = this.#window;
    const { offset } = window;
    const fields = unitHeaderV2.read(new Cursor(window.bytes, window.position));
    if (fields.nameSize > MAX_NAME_SIZE)
      throw badUnit(offset, 'nameSize', `its name has ${fields.nameSize} bytes, expected at most ${MAX_NAME_SIZE}`);
    await window.need(UNIT_HEADER_SIZE + fields.nameSize, 'unit header');
    const start = window.position;
    const raw = window.bytes.subarray(start, start + UNIT_HEADER_SIZE + fields.nameSize);
    const finding = judgeUnitHeader(raw, fields, isEnd, offset);
    const crcAgrees = !this.header.streamCrc || this.#crc.agrees(start, fields.streamCrc);
    const hasMoved = finding?.place.field === 'offset';
    // The offset alone is wrong in a header that has moved, so its unit can be read.
    if (hasMoved) this.#onDamage(finding);
    else if (finding) {
      this.#report(finding);
    } else if (!crcAgrees) {
      this.#report(badUnit(offset, 'streamCrc', 'the stream CRC it claims is not that of the bytes before it'));
    }
    window.position = start + raw.length;
    return {
      name: unitName(raw.subarray(UNIT_HEADER_SIZE)),
      instance: fields.instance,
      version: fields.version,
      pass: fields.pass === PASS_FINAL ? 'final' : fields.pass,
      offset,
      headerSize: raw.length,
      claimedOffset: hasMoved ? fields.offset : undefined,
    };
  }

  async nextSegments(): Promise<boolean> {
    if (!this.#inUnit) return false;
    const window = this.#window;
    const table = this.segments;
    table.count = 0;
    for (;;) {
      let stop: Stop = 'full';
      try {
        stop = this.#records.scan(window, table);
      } catch (error) {
        this.#crc.suspect();
        if (table.count === 0) throw error;
      }
      if (table.count > 0) return true;
      if (stop === 'term') {
        await this.#readTerm();
        this.#inUnit = false;
        return false;
      }
      if (window.ended) {
        const { offset } = window;
        throw truncated(`records of ${this.unit?.name}`, offset, window.available + 1, window.available);
      }
      await window.refill();
    }
  }

  /** Reads and checks the record that ends a unit (rows 23 and 24). */
  async #readTerm(): Promise<void> {
    const window = this.#window;
    await window.need(TERM_SIZE, 'TERM record');
    await window.crc.settle();
    const { position, offset } = window;
    const fields = termRecord.read(new Cursor(window.bytes, position));
    const unit = this.unit as UnitHeader;
    const recordsSize = offset + TERM_SIZE - unit.offset - unit.headerSize;
    const finding = judgeTerm(fields, recordsSize, offset);
    const claimsCrc = this.header.streamCrc && (fields.flags & 1) !== 0;
    const crcAgrees = !claimsCrc || this.#crc.agrees(position + 2, fields.streamCrc);
    if (finding) {
      this.#report(finding);
    } else if (!crcAgrees) {
      const message = `Cannot trust unit ${unit.name}: its bytes do not have the CRC that its end claims`;
      this.#report(
        new FormatError('bad-stream-crc', message, { offset, field: 'streamCrc' }, 'VERR_SSM_INTEGRITY_REC_TERM_CRC'),
      );
    }
    window.position = position + TERM_SIZE;
  }

  release(): void {
    this.#window.release();
  }

  async rejoin(): Promise<boolean> {
    return this.#inUnit && (await this.#recovery.findRecords(this.#records));
  }

  async resync(): Promise<boolean> {
    const window = this.#window;
    this.#inUnit = false;
    this.#crc.suspect();
    if (this.#unitMark && window.source.seekable) window.restore(this.#unitMark);
    return this.#recovery.findHeader();
  }

  #report(error: FormatError): void {
    this.#crc.suspect();
    this.#onDamage(error);
  }
}
