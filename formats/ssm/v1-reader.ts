import { Cursor, WIDE } from '../binary/cursor.ts';
import { FormatError, hex, type OnDamage } from '../errors.ts';
import type { Window } from '../files/window.ts';
import type { Container, ContainerHeader, OpenOptions, UnitHeader } from './container.ts';
import { badUnit, checkVersionFields, startsWith, unitName, widthsOf } from './header-rules.ts';
import { END_MAGIC, fileHeaderV1, UNIT_MAGIC, unitHeaderV1, versionV12 } from './layouts.ts';
import { findUnitHeader, isUnitHeaderV1, MAX_HEADER_SIZE } from './resync.ts';
import { PayloadStream } from './rtzip.ts';
import { SegmentTable } from './segments.ts';

export const V11_HEADER_SIZE = fileHeaderV1.size();
export const V12_HEADER_SIZE = V11_HEADER_SIZE + versionV12.size();
export const V1_UNIT_HEADER_SIZE = unitHeaderV1.size();
/** The file CRC covers all bytes after its own field. */
export const V1_CRC_START = fileHeaderV1.offsets.reserved;
/** No release registers longer names; the loader's buffers are far smaller. */
const NAME_LIMIT = 256;

/**
 * Reads V1.1 and V1.2 containers (ssm-container.md 2). Checks are made in the loader's order (2.5), but for the file
 * CRC, which comes last.
 */
export class V1Reader implements Container {
  readonly header: ContainerHeader;
  readonly directory = undefined;
  unit: UnitHeader | undefined;
  readonly #window: Window;
  readonly #onDamage: OnDamage;
  readonly #segments: SegmentTable;
  readonly #claimed: { fileSize: number; crc: number };
  /** File offset after the current unit. */
  #unitEnd: number;
  /** The current unit claims to go beyond the end of the file. */
  #cut = false;
  sawEnd = false;
  #payload: PayloadStream | undefined;
  #checksCrc = true;

  static async open(
    window: Window,
    format: '1.1' | '1.2',
    onDamage: OnDamage,
    options: OpenOptions = {},
  ): Promise<V1Reader> {
    await window.need(format === '1.1' ? V11_HEADER_SIZE : V12_HEADER_SIZE, 'file header');
    const reader = new V1Reader(window, format, onDamage);
    if (options.skipCrc) reader.#skipCrc();
    return reader;
  }

  private constructor(window: Window, format: '1.1' | '1.2', onDamage: OnDamage) {
    this.#window = window;
    this.#segments = new SegmentTable(window);
    this.#onDamage = onDamage;
    const cursor = new Cursor(window.bytes, window.position, window.end);
    const fields = fileHeaderV1.read(cursor);
    this.#claimed = fields;
    if (fields.machineUuid.some((byte) => byte !== 0)) {
      const place = { offset: 48, field: 'machineUuid' };
      onDamage(
        new FormatError(
          'bad-header',
          'Cannot trust file header: the machine UUID is not zero',
          place,
          'VERR_SMM_INTEGRITY_MACHINE',
        ),
      );
    }
    if (window.source.size !== undefined) this.#checkSize(window.source.size);
    this.header = readVersion(cursor, format, onDamage);
    window.limitCrc(V1_CRC_START, V1_CRC_START + fields.fileSize - cursor.at);
    window.position = cursor.at;
    this.#unitEnd = window.offset;
  }

  get offset(): number {
    return this.#window.offset;
  }

  /** The header tells the size of a unit, so it is known from the start. */
  get unitSize(): number {
    return this.unit ? this.#unitEnd - this.unit.offset : 0;
  }

  get segments(): SegmentTable {
    return this.#payload?.segments ?? this.#segments;
  }

  release(): void {
    this.#payload?.release();
    this.#window.release();
  }

  async nextUnit(): Promise<UnitHeader | undefined> {
    await this.#passUnit();
    this.unit = undefined;
    const window = this.#window;
    await window.need(V1_UNIT_HEADER_SIZE, 'unit header');
    const { bytes, position, offset } = window;
    if (startsWith(bytes, position, END_MAGIC)) {
      window.position += V1_UNIT_HEADER_SIZE;
      this.sawEnd = true;
      await this.#finish();
      return undefined;
    }
    if (!startsWith(bytes, position, UNIT_MAGIC.slice(0, 7))) {
      throw new FormatError(
        'bad-unit-magic',
        `Cannot read unit at ${hex(offset)}: no unit starts there`,
        { offset },
        'VERR_SSM_INTEGRITY_UNIT_MAGIC',
      );
    }
    this.unit = await this.#readUnitHeader();
    this.#segments.payloadSize = 0;
    this.#payload = new PayloadStream(window, this.#segments, this.#unitEnd);
    return this.unit;
  }

  async nextSegments(): Promise<boolean> {
    return (await this.#payload?.next()) ?? false;
  }

  async #readUnitHeader(): Promise<UnitHeader> {
    const window = this.#window;
    const { offset } = window;
    const { size, version, instance, nameSize } = unitHeaderV1.read(new Cursor(window.bytes, window.position));
    const headerSize = V1_UNIT_HEADER_SIZE + nameSize;
    const fileSize = window.source.size ?? Number.POSITIVE_INFINITY;
    if (nameSize === 0 || nameSize > NAME_LIMIT) throw badUnit(offset, 'nameSize', `its name has ${nameSize} bytes`);
    if (size < headerSize) throw badUnit(offset, 'size', `it claims ${size} bytes, its header alone has ${headerSize}`);
    this.#cut = offset + size > fileSize;
    if (this.#cut) this.#onDamage(badUnit(offset, 'size', `it claims ${size} bytes, beyond the end of the file`));
    await window.need(headerSize, 'unit header');
    const name = window.bytes.subarray(window.position + V1_UNIT_HEADER_SIZE, window.position + headerSize);
    if (name[name.length - 1] !== 0) throw badUnit(offset, 'name', 'its name is not terminated');
    if (name.indexOf(0) < name.length - 1) throw badUnit(offset, 'name', 'its name ends before its field does');
    this.#unitEnd = offset + size;
    window.position += headerSize;
    return { name: unitName(name), instance, version, pass: 'final', offset, headerSize };
  }

  /** Passes over the rest of the unit: bytes that a handler leaves unread are no error in V1.x. */
  async #passUnit(): Promise<void> {
    const window = this.#window;
    await this.#payload?.close();
    this.#payload = undefined;
    if (this.#cut) {
      // Either the file ends here, or the size is a lie and more units follow.
      this.#cut = false;
      await findUnitHeader(window, isUnitHeaderV1);
      return;
    }
    while (window.offset < this.#unitEnd) {
      if (window.available === 0) await window.need(1, 'unit');
      window.position += Math.min(window.available, this.#unitEnd - window.offset);
    }
  }

  /**
   * Checks size and CRC of the whole file: row 7 of the loader's checks, which the loader makes before it looks at any
   * unit.
   */
  async #finish(): Promise<void> {
    const window = this.#window;
    window.position = window.end;
    while (!window.ended) {
      await window.refill();
      window.position = window.end;
    }
    await window.crc.settle();
    if (window.source.size === undefined) this.#checkSize(window.offset);
    const sizeIsTrue = this.#claimed.fileSize === window.offset;
    if (sizeIsTrue && this.#checksCrc && window.crcThrough(window.position) !== this.#claimed.crc) {
      const place = { offset: 40, field: 'crc' };
      this.#onDamage(
        new FormatError(
          'bad-file-crc',
          'Cannot trust file: its bytes do not have the CRC that its header claims',
          place,
          'VERR_SSM_INTEGRITY_CRC',
        ),
      );
    }
  }

  #skipCrc(): void {
    this.#checksCrc = false;
    this.#window.limitCrc(0, 0);
  }

  #checkSize(size: number): void {
    const claimed = this.#claimed.fileSize;
    if (claimed === size) return;
    const message = `Cannot trust file: it has ${size} bytes, its header claims ${claimed}`;
    this.#onDamage(new FormatError('bad-size', message, { offset: 32, field: 'fileSize' }, 'VERR_SSM_INTEGRITY_SIZE'));
  }

  /** Never goes on: blocks follow each other without marks, so nothing after a broken one can be trusted. */
  async rejoin(): Promise<boolean> {
    return false;
  }

  /**
   * Goes to the next unit: after a damaged payload to the place that the header's size gives, if a unit is there; else,
   * and after a damaged header, it is searched for.
   */
  async resync(): Promise<boolean> {
    const window = this.#window;
    const sizeMayLie = this.#payload !== undefined;
    if (sizeMayLie) {
      if (!window.source.seekable || (!this.#cut && (await this.#unitStartsAt(this.#unitEnd)))) return true;
      this.#cut = false;
      await this.#payload?.close();
      this.#payload = undefined;
    } else if (window.available > 0) window.position++;
    while (await findUnitHeader(window, isUnitHeaderV1)) {
      this.#unitEnd = window.offset;
      if (!sizeMayLie || (await this.#isFollowed())) return true;
      window.position++;
    }
    this.#unitEnd = window.offset;
    await this.#finish();
    return false;
  }

  /**
   * Whether another header follows at the end of this unit; otherwise this may be a piece of payload that looks like a
   * header.
   */
  async #isFollowed(): Promise<boolean> {
    const window = this.#window;
    if (startsWith(window.bytes, window.position, END_MAGIC)) return true;
    const { size } = unitHeaderV1.read(new Cursor(window.bytes, window.position));
    return this.#unitStartsAt(window.offset + size);
  }

  async #unitStartsAt(offset: number): Promise<boolean> {
    const bytes = new Uint8Array(MAX_HEADER_SIZE);
    const { source } = this.#window;
    const available = await source.read(bytes, offset);
    return isUnitHeaderV1({ bytes, view: new DataView(bytes.buffer), position: 0, offset, available, source });
  }
}

function readVersion(cursor: Cursor, format: '1.1' | '1.2', onDamage: OnDamage): ContainerHeader {
  const common = { format, streamCrc: false, live: false };
  if (format === '1.1') return { ...common, widths: { ...WIDE }, widthsStored: false };
  const version = versionV12.read(cursor);
  checkVersionFields(version, onDamage);
  const { major, minor, build, revision, hostBits } = version;
  return {
    ...common,
    release: { major, minor, build, revision },
    hostBits,
    widths: widthsOf(version),
    widthsStored: true,
  };
}
