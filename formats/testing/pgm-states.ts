import { crc32 } from 'node:zlib';
import { PgmBytes } from './pgm-bytes.ts';

export interface PgmUnit {
  version: number;
  payload: Uint8Array;
  pass?: number | 'final';
  name?: string;
}
export type Cut = (payload: Uint8Array) => Uint8Array[];
export interface StateOptions {
  cut?: Cut;
  release?: [number, number];
  live?: boolean;
}

const NO_RELEASE: [number, number] = [7, 2];

export function stateV2(
  units: PgmUnit[],
  { cut = cutRaw(4096), release = NO_RELEASE, live = false }: StateOptions = {},
): Uint8Array {
  const out = [fileHeader(release, live)];
  let offset = 64;
  for (const { name = 'pgm', version, payload, pass = 'final' } of units) {
    const header = unitHeader('\nUnit\n\0\0', offset, version, name === 'pgm' ? 1 : 0, pass, name);
    const records = Buffer.concat(cut(payload));
    const term = new PgmBytes()
      .u8(0x91)
      .u8(14)
      .u16(0)
      .u32(0)
      .u64(records.length + 16)
      .done();
    out.push(header, records, term);
    offset += header.length + records.length + 16;
  }
  out.push(unitHeader('\nTheEnd\0', offset, 0, 0, 'final', ''));
  offset += 44;
  const directory = new PgmBytes().raw(Buffer.from('\nDir\n\0\0\0', 'latin1')).u32(0).u32(0).done();
  out.push(withCrc(directory, 8));
  const footer = new PgmBytes()
    .raw(Buffer.from('\nFooter\0', 'latin1'))
    .u64(offset + 16)
    .u32(0)
    .u32(0)
    .u32(0)
    .u32(0)
    .done();
  out.push(withCrc(footer, 28));
  return Buffer.concat(out);
}

function fileHeader([major, minor]: [number, number], live: boolean): Uint8Array {
  const out = new PgmBytes().raw(Buffer.from('\x7fVirtualBox SavedState V2.0\n\0\0\0\0', 'latin1'));
  out.u16(major).u16(minor).u32(0).u32(100000).u8(64).u8(8).u8(8).u8(0);
  return withCrc(
    out
      .u32(1)
      .u32(live ? 2 : 0)
      .u32(4096)
      .u32(0)
      .done(),
    60,
  );
}

function unitHeader(
  magic: string,
  offset: number,
  version: number,
  instance: number,
  pass: number | 'final',
  name: string,
): Uint8Array {
  const out = new PgmBytes().raw(Buffer.from(magic, 'latin1')).u64(offset).u32(0).u32(0);
  out
    .u32(version)
    .u32(instance)
    .u32(pass === 'final' ? 0xffffffff : pass)
    .u32(0);
  const named = name === '' ? '' : `${name}\0`;
  return withCrc(out.u32(named.length).raw(Buffer.from(named, 'latin1')).done(), 20);
}

function withCrc(bytes: Uint8Array, at: number): Uint8Array {
  new DataView(bytes.buffer, bytes.byteOffset).setUint32(at, crc32(bytes), true);
  return bytes;
}

/** RAW records of `size` bytes. */
export function cutRaw(size: number): Cut {
  return (payload) => (size < 0x80 ? [smallRecords(payload, size)] : pieces(payload, size).map(rawRecord));
}

/** Makes millions of small records, without an object for each. */
function smallRecords(payload: Uint8Array, size: number): Uint8Array {
  const records = Buffer.allocUnsafe(payload.length + 2 * Math.ceil(payload.length / size));
  let to = 0;
  for (let at = 0; at < payload.length; at += size) {
    const count = Math.min(size, payload.length - at);
    records[to++] = 0x92;
    records[to++] = count;
    for (let i = 0; i < count; i++) records[to++] = payload[at + i];
  }
  return records;
}

/** LZF or zero records of `kib` KiB where they suffice, RAW ones elsewhere. */
export function cutCompressed(kib: number): Cut {
  return (payload) =>
    pieces(payload, kib * 1024).map((piece) => {
      if (piece.length < kib * 1024) return rawRecord(piece);
      if (piece.every((byte) => byte === 0)) return Buffer.of(0x94, 1, kib);
      const lzf = naiveLzf(piece);
      return lzf.length < kib * 1024
        ? Buffer.concat([Buffer.of(0x93), sizeCode(lzf.length + 1), Buffer.of(kib), lzf])
        : rawRecord(piece);
    });
}

export function pieces(payload: Uint8Array, size: number): Uint8Array[] {
  return Array.from({ length: Math.ceil(payload.length / size) }, (_, i) => payload.subarray(i * size, (i + 1) * size));
}

export function rawRecord(piece: Uint8Array): Uint8Array {
  const size = sizeCode(piece.length);
  const record = Buffer.allocUnsafe(1 + size.length + piece.length);
  record[0] = 0x92;
  record.set(size, 1);
  record.set(piece, 1 + size.length);
  return record;
}

function sizeCode(size: number): Buffer {
  if (size < 0x80) return Buffer.of(size);
  if (size < 0x10000) return Buffer.of(0xe0 | (size >> 12), 0x80 | ((size >> 6) & 63), 0x80 | (size & 63));
  return Buffer.of(0xf0 | (size >> 18), 0x80 | ((size >> 12) & 63), 0x80 | ((size >> 6) & 63), 0x80 | (size & 63));
}

/** Compresses a block with literal runs of one byte, and copies of 3 to 8 bytes from 1 or 4 bytes back. */
export function naiveLzf(block: Uint8Array): Buffer {
  const out: number[] = [];
  for (let at = 0; at < block.length; ) {
    const [near, far] = [lengthOf(block, at, 1), lengthOf(block, at, 4)];
    const [distance, count] = near >= far ? [1, near] : [4, far];
    if (count >= 3) out.push((count - 2) << 5, distance - 1);
    else out.push(0, block[at]);
    at += count >= 3 ? count : 1;
  }
  return Buffer.from(out);
}

/** Number of bytes, up to 8, that are the same as those some bytes before. */
function lengthOf(block: Uint8Array, at: number, distance: number): number {
  let count = 0;
  while (at >= distance && count < 8 && at + count < block.length && block[at + count] === block[at + count - distance])
    count++;
  return count;
}

/** Units of a live save: the last payload is the final pass. */
export function liveUnits(version: number, payloads: Uint8Array[]): PgmUnit[] {
  return payloads.map((payload, i) => ({ version, payload, pass: i === payloads.length - 1 ? 'final' : i }));
}
