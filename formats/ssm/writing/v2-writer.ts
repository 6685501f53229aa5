import { crc32 } from '../../binary/crc32.ts';
import type { Struct } from '../../binary/struct.ts';
import { Writer } from '../../binary/writer.ts';
import type { ByteSink } from '../../files/sink.ts';
import { KIB } from '../../sizes.ts';
import {
  DIRECTORY_MAGIC,
  directoryEntry,
  directoryHead,
  END_MAGIC,
  FOOTER_MAGIC,
  fileHeaderV2,
  footer,
  LIVE_CONTROL,
  MAGIC_BASE,
  MAGIC_SIZE,
  PASS_FINAL,
  termRecord,
  UNIT_MAGIC,
  unitHeaderV2,
} from '../layouts.ts';
import { RECORD_FLAGS, RecordType } from '../record-scanner.ts';
import { Encoding } from '../segments.ts';
import { BLOCK, BlockEncoder } from './block-encoder.ts';
import type { Compression, ContainerWriter, NewContainer, NewUnit } from './container-writer.ts';
import { OutputBuffer } from './output-buffer.ts';

/**
 * Items up to this size are gathered in a buffer of `BLOCK` bytes, which is written as one RAW record. Source: SSM.cpp,
 * ssmR3DataWrite.
 */
const SMALL_ITEM = 512;
const ENCODING_RECORDS = { [Encoding.LZF]: RecordType.RAW_LZF, [Encoding.ZERO]: RecordType.RAW_ZERO } as Record<
  number,
  number
>;

const COMPRESSED_HEAD = 5;

/**
 * Release for states from V1.1, which has no field for it: the last release that wrote V1.1, as loaders want numbers
 * above 0.
 */
export const NO_RELEASE = { major: 2, minor: 0, build: 12, revision: 1 };

/** Writes V2.0 containers (ssm-container.md 3), record by record as VirtualBox does (3.5). */
export class V2Writer implements ContainerWriter {
  readonly format = '2.0';
  readonly #out: OutputBuffer;
  readonly #compression: Compression;
  readonly #encoder = new BlockEncoder();
  readonly #small = new Uint8Array(BLOCK);
  #smallLength = 0;
  #unitStart = 0;
  /** Directory entries by name and instance; the last pass written counts. */
  readonly #directory = new Map<string, { offset: number; instance: number; nameCrc: number }>();

  constructor(sink: ByteSink, header: NewContainer, compression: Compression) {
    this.#out = new OutputBuffer(sink);
    this.#compression = compression;
    const { release, hostBits = 64, widths, live, registeredUnits = 0 } = header;
    const fields = {
      magic: fixed(`${MAGIC_BASE}V2.0\n`, MAGIC_SIZE),
      ...(release ?? NO_RELEASE),
      hostBits,
      gcPhysWidth: widths.gcPhys,
      gcPtrWidth: widths.gcPtr,
      reserved: 0,
      registeredUnits,
      flags: live ? 3 : 1,
      maxDecompressed: BLOCK,
      crc: 0,
    };
    this.#putSealed(fileHeaderV2, fields);
  }

  get isFull(): boolean {
    return this.#out.isFull;
  }

  beginUnit({ name, instance, version, pass }: NewUnit): void {
    const { offset } = this.#out;
    const bytes = Buffer.from(name, 'latin1');
    if (name !== LIVE_CONTROL) this.#directory.set(`${name}/${instance}`, { offset, instance, nameCrc: crc32(bytes) });
    this.#putUnitHeader(
      UNIT_MAGIC,
      { instance, version, pass: pass === 'final' ? PASS_FINAL : pass },
      Buffer.concat([bytes, Buffer.alloc(1)]),
    );
    this.#unitStart = this.#out.offset;
  }

  put(bytes: Uint8Array, at = 0, length = bytes.length - at): void {
    const end = at + length;
    if (length <= SMALL_ITEM) {
      if (this.#smallLength + length > BLOCK) this.#flushSmall();
      // A loop, as most items have few bytes and a view for each would be slow.
      for (let from = at; from < end; from++) this.#small[this.#smallLength++] = bytes[from];
      return;
    }
    this.#flushSmall();
    for (let from = at; from < end; from += BLOCK) {
      if (end - from < BLOCK) this.#putRaw(bytes, from, end - from);
      else this.#putWhole(bytes, from);
    }
  }

  putBlock(encoding: number, bytes: Uint8Array, at: number, length: number, size: number): boolean {
    if (encoding === Encoding.RAW) {
      if (length > SMALL_ITEM) {
        this.#flushSmall();
        this.#putRaw(bytes, at, length);
      } else this.put(bytes, at, length);
      return true;
    }
    if (this.#compression === 'none' || size > BLOCK || size % KIB !== 0 || length > size) return false;
    this.#flushSmall();
    this.#putCompressed(encoding, bytes, at, length, size);
    return true;
  }

  endUnit(): void {
    this.#flushSmall();
    const out = this.#out;
    const writer = new Writer();
    termRecord.write(writer, {
      type: RECORD_FLAGS | RecordType.TERM,
      size: TERM_CONTENT,
      flags: 1,
      streamCrc: 0,
      unitSize: out.offset + TERM_CONTENT + 2 - this.#unitStart,
    });
    const bytes = writer.view();
    out.put(bytes.subarray(0, 2));
    new DataView(bytes.buffer, bytes.byteOffset).setUint32(termRecord.offsets.streamCrc, out.crc(), true);
    out.put(bytes.subarray(2));
  }

  flush(): Promise<void> {
    return this.#out.flush();
  }

  async finish(): Promise<void> {
    this.#putUnitHeader(END_MAGIC, { instance: 0, version: 0, pass: PASS_FINAL }, new Uint8Array(0));
    const entries = [...this.#directory.values()];
    const directory = new Writer(undefined, 16 * (entries.length + 1));
    directoryHead.write(directory, { magic: fixed(DIRECTORY_MAGIC, 8), crc: 0, count: entries.length });
    for (const entry of entries) directoryEntry.write(directory, entry);
    await this.#putLarge(sealed(directory.view(), directoryHead.offsets.crc));
    const { offset } = this.#out;
    this.#putSealed(footer, {
      magic: fixed(FOOTER_MAGIC, 8),
      offset,
      streamCrc: this.#out.crc(),
      directoryEntries: entries.length,
      reserved: 0,
      crc: 0,
    });
    await this.#out.flush();
    this.#out.release();
  }

  #putUnitHeader(magic: string, fields: { instance: number; version: number; pass: number }, name: Uint8Array): void {
    const out = this.#out;
    const writer = new Writer();
    unitHeaderV2.write(writer, {
      magic: fixed(magic, 8),
      offset: out.offset,
      streamCrc: out.crc(),
      crc: 0,
      ...fields,
      flags: 0,
      nameSize: name.length,
    });
    writer.bytes(name);
    out.put(sealed(writer.view(), unitHeaderV2.offsets.crc));
  }

  #putSealed<T extends { crc: number }>(struct: Struct<T>, value: T): void {
    const writer = new Writer();
    struct.write(writer, value);
    this.#out.put(sealed(writer.view(), struct.offsets.crc));
  }

  async #putLarge(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; at += BLOCK) {
      this.#out.put(bytes.subarray(at, at + BLOCK));
      if (this.#out.isFull) await this.#out.flush();
    }
  }

  #flushSmall(): void {
    if (this.#smallLength > 0) this.#putRaw(this.#small, 0, this.#smallLength);
    this.#smallLength = 0;
  }

  #putRaw(bytes: Uint8Array, at: number, length: number): void {
    this.#out.u8(RECORD_FLAGS | RecordType.RAW);
    this.#putSize(length);
    this.#out.putPart(bytes, at, length);
  }

  /** Writes a block of 4096 bytes as zeros, compressed, or raw. */
  #putWhole(bytes: Uint8Array, at: number): void {
    const out = this.#out;
    const encoder = this.#encoder;
    // The data is compressed right into its place after the type byte, three bytes of size, and the decompressed size
    // in KiB.
    const encoding =
      this.#compression === 'none' ? Encoding.RAW : encoder.encode(bytes, at, out.bytes, out.length + COMPRESSED_HEAD);
    if (encoding === Encoding.RAW) this.#putRaw(bytes, at, BLOCK);
    else if (encoding === Encoding.ZERO) this.#putCompressed(encoding, bytes, at, 0, BLOCK);
    else {
      this.#putCompressedHead(encoding, encoder.length, BLOCK);
      out.length += encoder.length;
    }
  }

  #putCompressed(encoding: number, bytes: Uint8Array, at: number, length: number, size: number): void {
    this.#putCompressedHead(encoding, length, size);
    this.#out.putPart(bytes, at, length);
  }

  /**
   * Writes the head of a compressed record. The size of compressed data always takes three bytes (ssm-container.md
   * 3.3).
   */
  #putCompressedHead(encoding: number, length: number, size: number): void {
    this.#out.u8(RECORD_FLAGS | ENCODING_RECORDS[encoding]);
    if (encoding === Encoding.LZF) this.#putSize3(length + 1);
    else this.#out.u8(1);
    this.#out.u8(size / KIB);
  }

  #putSize(size: number): void {
    const out = this.#out;
    if (size < 0x80) {
      out.u8(size);
    } else if (size < 0x800) {
      out.u8(0xc0 | (size >> 6));
      out.u8(0x80 | (size & 0x3f));
    } else if (size < 0x10000) {
      this.#putSize3(size);
    } else {
      out.u8(0xf0 | (size >> 18));
      for (const shift of [12, 6, 0]) out.u8(0x80 | ((size >> shift) & 0x3f));
    }
  }

  #putSize3(size: number): void {
    this.#out.u8(0xe0 | (size >> 12));
    this.#out.u8(0x80 | ((size >> 6) & 0x3f));
    this.#out.u8(0x80 | (size & 0x3f));
  }
}

const TERM_CONTENT = termRecord.size() - 2;

/** Text as bytes, padded with NUL. */
export function fixed(text: string, size: number): Uint8Array {
  return Buffer.from(text.padEnd(size, '\0'), 'latin1');
}

/** Puts a structure's CRC, computed with 0 in the field, into the field. */
function sealed(bytes: Uint8Array, crcField: number): Uint8Array {
  new DataView(bytes.buffer, bytes.byteOffset).setUint32(crcField, crc32(bytes), true);
  return bytes;
}
