import { Writer } from '../../binary/writer.ts';
import type { SeekableSink } from '../../files/sink.ts';
import { createLzfEncoder } from '../../kernels/lzf.ts';
import {
  blockHeaderV1,
  END_MAGIC,
  fileHeaderV1,
  MAGIC_BASE,
  MAGIC_SIZE,
  UNIT_MAGIC,
  unitHeaderV1,
  versionV12,
} from '../layouts.ts';
import { BLOCK_HEADER_SIZE, BLOCK_MAGIC, MAX_BLOCK_DATA, MAX_BLOCK_DECODED, ZipType } from '../rtzip.ts';
import { Encoding } from '../segments.ts';
import { V1_CRC_START, V1_UNIT_HEADER_SIZE, V11_HEADER_SIZE, V12_HEADER_SIZE } from '../v1-reader.ts';
import type { Compression, ContainerWriter, NewContainer, NewUnit } from './container-writer.ts';
import { OutputBuffer } from './output-buffer.ts';
import { fixed, NO_RELEASE } from './v2-writer.ts';

/** Pieces up to this size are gathered before they are compressed. Source: zip.cpp, rtZipLZFCompress. */
const SMALL_PIECE = 128;
/** The CRC ends before the end of the file, so this many bytes are kept back until the end is known. */
const KEPT_BACK = 64;

/** Offset of `cbUnit` within a unit header. */
const SIZE_FIELD = 8;

/**
 * Writes V1.1 and V1.2 containers (ssm-container.md 2). Sizes and CRC precede their data, so the sink must take writes
 * out of order.
 */
export class V1Writer implements ContainerWriter {
  readonly format: '1.1' | '1.2';
  readonly #sink: SeekableSink;
  readonly #out: OutputBuffer;
  readonly #compression: Compression;
  readonly #encoder = createLzfEncoder();
  readonly #small = new Uint8Array(MAX_BLOCK_DECODED);
  #smallLength = 0;
  readonly #headerSize: number;
  readonly #header: Uint8Array;
  #unitOffset = 0;
  /** The unit has a payload, and so a compressor type. */
  #begun = false;
  /** Sizes of units whose headers were flushed before their end. */
  readonly #patches: { offset: number; bytes: Uint8Array }[] = [];

  constructor(sink: SeekableSink, format: '1.1' | '1.2', header: NewContainer, compression: Compression) {
    this.format = format;
    this.#sink = sink;
    this.#out = new OutputBuffer(sink);
    this.#compression = compression;
    this.#headerSize = format === '1.1' ? V11_HEADER_SIZE : V12_HEADER_SIZE;
    this.#header = writeHeader(format, header, 0, 0);
    this.#out.put(this.#header.subarray(0, V1_CRC_START));
    this.#out.startCrc();
    this.#out.put(this.#header.subarray(V1_CRC_START));
  }

  get isFull(): boolean {
    return this.#out.isFull;
  }

  beginUnit({ name, instance, version }: NewUnit): void {
    this.#unitOffset = this.#out.offset;
    this.#begun = false;
    const writer = new Writer();
    unitHeaderV1.write(writer, { magic: fixed(UNIT_MAGIC, 8), size: 0, version, instance, nameSize: name.length + 1 });
    writer.bytes(fixed(name, name.length + 1));
    this.#out.put(writer.view());
  }

  put(bytes: Uint8Array, at = 0, length = bytes.length - at): void {
    if (length > SMALL_PIECE) {
      this.#flushSmall();
      this.#putBlocks(bytes, at, at + length);
      return;
    }
    if (this.#smallLength + length > MAX_BLOCK_DECODED) this.#flushSmall();
    for (let from = at; from < at + length; from++) this.#small[this.#smallLength++] = bytes[from];
  }

  putBlock(encoding: number, bytes: Uint8Array, at: number, length: number, size: number): boolean {
    if (encoding === Encoding.RAW) {
      this.put(bytes, at, length);
      return true;
    }
    if (
      encoding !== Encoding.LZF ||
      size > MAX_BLOCK_DECODED ||
      length > MAX_BLOCK_DATA ||
      this.#compression === 'none'
    )
      return false;
    this.#flushSmall();
    this.#begin(ZipType.LZF);
    this.#putBlockHeader(length, size);
    this.#out.putPart(bytes, at, length);
    return true;
  }

  endUnit(): void {
    this.#flushSmall();
    const out = this.#out;
    const size = new Writer();
    size.u64(out.offset - this.#unitOffset);
    const offset = this.#unitOffset + SIZE_FIELD;
    const behind = out.crcOffset - (offset + 8);
    const at = out.indexOf(offset);
    if (at >= 0) out.bytes.set(size.view(), at);
    else this.#patches.push({ offset, bytes: size.view().slice() });
    // The CRC advances by whole flushes, so it has covered either all of the field, which was zero then, or nothing of
    // it.
    if (behind >= 0) out.patchCrc(size.view(), behind);
  }

  async flush(): Promise<void> {
    const keep =
      this.#out.offset - this.#unitOffset < V1_UNIT_HEADER_SIZE + KEPT_BACK
        ? this.#out.offset - this.#unitOffset + KEPT_BACK
        : KEPT_BACK;
    await this.#out.flush(keep);
    for (const { offset, bytes } of this.#patches.splice(0)) await this.#sink.writeAt(bytes, offset);
  }

  async finish(): Promise<void> {
    const out = this.#out;
    const writer = new Writer();
    unitHeaderV1.write(writer, {
      magic: fixed(END_MAGIC, 8),
      size: V1_UNIT_HEADER_SIZE,
      version: 0,
      instance: 0,
      nameSize: 0,
    });
    out.put(writer.view());
    // The CRC covers (file size − header size) bytes from offset 44 on (ssm-container.md 2.2).
    const crc = out.crc(this.#headerSize - V1_CRC_START);
    const fileSize = out.offset;
    await out.flush();
    for (const { offset, bytes } of this.#patches.splice(0)) await this.#sink.writeAt(bytes, offset);
    const sealed = new Writer();
    sealed.bytes(this.#header.subarray(0, MAGIC_SIZE));
    sealed.u64(fileSize);
    sealed.u32(crc);
    await this.#sink.writeAt(sealed.view(), 0);
    out.release();
  }

  #begin(type: number): void {
    if (!this.#begun) this.#out.u8(type);
    this.#begun = true;
  }

  #flushSmall(): void {
    if (this.#smallLength > 0) this.#putBlocks(this.#small, 0, this.#smallLength);
    this.#smallLength = 0;
  }

  /**
   * Writes blocks; one that does not compress well enough is halved until it fits, since blocks have no stored form.
   */
  #putBlocks(bytes: Uint8Array, start: number, end: number): void {
    if (this.#compression === 'none') {
      this.#begin(ZipType.STORE);
      this.#out.put(bytes.subarray(start, end));
      return;
    }
    this.#begin(ZipType.LZF);
    const out = this.#out;
    for (let at = start; at < end; ) {
      let size = Math.min(MAX_BLOCK_DECODED, end - at);
      let length = this.#encode(bytes, at, size);
      while (length === 0) {
        size = Math.ceil(size / 2);
        length = this.#encode(bytes, at, size);
      }
      this.#putBlockHeader(length, size);
      out.length += length;
      at += size;
    }
  }

  #encode(bytes: Uint8Array, at: number, size: number): number {
    const { bytes: target, length } = this.#out;
    return this.#encoder.encode(bytes, at, size, target, length + BLOCK_HEADER_SIZE, MAX_BLOCK_DATA);
  }

  #putBlockHeader(length: number, size: number): void {
    const writer = new Writer(undefined, BLOCK_HEADER_SIZE);
    blockHeaderV1.write(writer, { magic: BLOCK_MAGIC, size: length, crc: 0, decodedSize: size });
    this.#out.put(writer.view());
  }
}

function writeHeader(
  format: '1.1' | '1.2',
  { release = NO_RELEASE, hostBits = 64, widths }: NewContainer,
  fileSize: number,
  crc: number,
): Uint8Array {
  const writer = new Writer();
  fileHeaderV1.write(writer, {
    magic: fixed(`${MAGIC_BASE}V${format}\n`, MAGIC_SIZE),
    fileSize,
    crc,
    reserved: 0,
    machineUuid: new Uint8Array(16),
  });
  if (format === '1.2')
    versionV12.write(writer, {
      ...release,
      hostBits,
      gcPhysWidth: widths.gcPhys,
      gcPtrWidth: widths.gcPtr,
      reserved: 0,
    });
  return writer.view().slice();
}
