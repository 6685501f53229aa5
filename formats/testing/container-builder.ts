import { crc32, deflateSync } from 'node:zlib';

// Containers made the naive way, whole in memory, offsets written out by hand. Shares no code with the readers and
// writers that it tests.

export interface UnitSpec {
  name: string;
  instance?: number;
  version?: number;
  pass?: number | 'final';
  /** Stored as one RAW record; V1.x: as LZF literals. */
  payload?: Uint8Array;
  /** The records as they are, without TERM; V1.x: the blocks, with the type of the compressor before. */
  records?: Uint8Array;
}

/** Header fields in which a file differs from the usual one of tests. */
export interface HeaderSpec {
  release?: [major: number, minor: number, build: number, revision: number];
  registeredUnits?: number;
  live?: boolean;
  streamCrc?: boolean;
}

/** Worked example PR: 4096 pseudo-random bytes. */
export function randomPage(): Uint8Array {
  const page = new Uint8Array(4096);
  let x = 1n;
  for (let i = 0; i < 4096; i++) {
    x = (x * 1103515245n + 12345n) % 2147483648n;
    page[i] = Number((x >> 16n) & 255n);
  }
  return page;
}

/** The shortest size code, or one of `length` bytes. */
export function sizeCode(size: number, length = size < 0x80 ? 1 : size < 0x800 ? 2 : size < 0x10000 ? 3 : 4): Buffer {
  if (length === 1) return Buffer.of(size);
  const first = [0, 0, 0xc0, 0xe0, 0xf0, 0xf8, 0xfc][length];
  const bytes = [first | Math.floor(size / 64 ** (length - 1))];
  for (let i = length - 2; i >= 0; i--) bytes.push(0x80 | (Math.floor(size / 64 ** i) & 63));
  return Buffer.from(bytes);
}

export function rawRecord(bytes: Uint8Array): Buffer {
  return Buffer.concat([Buffer.of(0x92), sizeCode(bytes.length), bytes]);
}

/** An LZF record of given data, which expands to `kib` KiB. */
export function lzfRecord(data: string, kib: number): Buffer {
  const bytes = Buffer.from(data.replaceAll(' ', ''), 'hex');
  return Buffer.concat([Buffer.of(0x93), sizeCode(bytes.length + 1), Buffer.of(kib), bytes]);
}

const TERM = Buffer.from([0x91, 14, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);

/** A V2.0 file; every CRC and offset is filled in by `resealV2`. */
export function buildV2(units: readonly UnitSpec[], options: HeaderSpec = {}): Buffer {
  const [major, minor, build, revision] = options.release ?? [7, 2, 22, 175245];
  const header = Buffer.alloc(64);
  header.write('\x7fVirtualBox SavedState V2.0\n', 'latin1');
  header.writeUInt16LE(major, 32);
  header.writeUInt16LE(minor, 34);
  header.writeUInt32LE(build, 36);
  header.writeUInt32LE(revision, 40);
  header.set([64, 8, 8, 0], 44);
  header.writeUInt32LE(options.registeredUnits ?? 36, 48);
  header.writeUInt32LE((options.streamCrc === false ? 0 : 1) | (options.live ? 2 : 0), 52);
  header.writeUInt32LE(4096, 56);
  const parts: Buffer[] = [header];
  let offset = 64;
  const entries: Buffer[] = [];
  for (const unit of units) {
    const name = Buffer.from(`${unit.name}\0`, 'latin1');
    const head = Buffer.alloc(44);
    head.write('\nUnit\n\0\0', 'latin1');
    head.writeUInt32LE(unit.version ?? 1, 24);
    head.writeUInt32LE(unit.instance ?? 0, 28);
    head.writeUInt32LE(unit.pass === undefined || unit.pass === 'final' ? 0xffffffff : unit.pass, 32);
    head.writeUInt32LE(name.length, 40);
    const records = unit.records
      ? Buffer.from(unit.records)
      : unit.payload?.length
        ? rawRecord(unit.payload)
        : Buffer.alloc(0);
    const whole = Buffer.concat([head, name, records, TERM]);
    const entry = Buffer.alloc(16);
    entry.writeBigUInt64LE(BigInt(offset), 0);
    entry.writeUInt32LE(unit.instance ?? 0, 8);
    entry.writeUInt32LE(crc32(name.subarray(0, -1)), 12);
    // Units of live passes are not in the directory.
    if (unit.pass === undefined || unit.pass === 'final') entries.push(entry);
    parts.push(whole);
    offset += whole.length;
  }
  const end = Buffer.alloc(44);
  end.write('\nTheEnd\0', 'latin1');
  end.writeUInt32LE(0xffffffff, 32);
  const directory = Buffer.alloc(16);
  directory.write('\nDir\n\0\0\0', 'latin1');
  directory.writeUInt32LE(entries.length, 12);
  const footer = Buffer.alloc(32);
  footer.write('\nFooter\0', 'latin1');
  footer.writeUInt32LE(entries.length, 20);
  return resealV2(Buffer.concat([...parts, end, directory, ...entries, footer]));
}

/** Places of all parts of a V2.0 file that is well-formed except for CRCs, offsets and sizes. */
export interface Places {
  units: { start: number; name: number; records: number; term: number }[];
  end: number;
  directory: number;
  footer: number;
}

/** Walks the records naively; the last unit found is followed by end unit, directory, footer. */
export function placesIn(file: Buffer): Places {
  const units: Places['units'] = [];
  let at = 64;
  while (file[at + 1] === 0x55) {
    const records = at + 44 + file.readUInt32LE(at + 40);
    let p = records;
    while ((file[p] & 15) !== 1) {
      if (!(p < file.length)) throw new RangeError('A unit has no end');
      p += recordLength(file, p);
    }
    units.push({ start: at, name: at + 44, records, term: p });
    at = p + 16;
  }
  return { units, end: at, directory: at + 44, footer: file.length - 32 };
}

function recordLength(file: Buffer, p: number): number {
  const first = file[p + 1];
  if (first < 0x80) return 2 + first;
  const count = first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf8 ? 4 : first < 0xfc ? 5 : 6;
  let size = first & (0x7f >> count);
  for (let i = 1; i < count; i++) size = size * 64 + (file[p + 1 + i] & 63);
  return 1 + count + size;
}

/** A field that a conformance test keeps wrong. */
export type Kept = 'header' | 'unit crc' | 'unit offset' | 'stream crc' | 'term' | 'directory' | 'footer';

/** Fills in every CRC, offset and size of a V2.0 file but those that are kept. */
export function resealV2(file: Buffer, keep: readonly Kept[] = [], places = placesIn(file)): Buffer {
  const fixes = (what: Kept) => !keep.includes(what);
  const streams = (file.readUInt32LE(52) & 1) !== 0;
  if (fixes('header')) seal(file, 0, 64, 60);
  const running = new RunningCrc(file);
  for (const { start, records, term } of places.units) {
    if (fixes('unit offset')) file.writeBigUInt64LE(BigInt(start), start + 8);
    if (fixes('stream crc')) file.writeUInt32LE(streams ? running.through(start) : 0, start + 16);
    if (fixes('unit crc')) seal(file, start, records, start + 20);
    if (fixes('term')) {
      file.writeUInt16LE(streams ? 1 : 0, term + 2);
      file.writeBigUInt64LE(BigInt(term + 16 - records), term + 8);
      file.writeUInt32LE(streams ? running.through(term + 2) : 0, term + 4);
    }
  }
  const { end, directory, footer } = places;
  file.writeBigUInt64LE(BigInt(end), end + 8);
  file.writeUInt32LE(streams ? running.through(end) : 0, end + 16);
  seal(file, end, end + 44, end + 20);
  if (fixes('directory')) seal(file, directory, footer, directory + 8);
  if (fixes('footer')) {
    file.writeBigUInt64LE(BigInt(footer), footer + 8);
    file.writeUInt32LE(streams ? running.through(footer) : 0, footer + 16);
    seal(file, footer, footer + 32, footer + 28);
  }
  return file;
}

/** CRC of all bytes up to a place; places come in ascending order, what lies before them is final. */
class RunningCrc {
  readonly #file: Buffer;
  #crc = 0;
  #at = 0;

  constructor(file: Buffer) {
    this.#file = file;
  }

  through(end: number): number {
    this.#crc = crc32(this.#file.subarray(this.#at, end), this.#crc);
    this.#at = end;
    return this.#crc;
  }
}

/** Puts the CRC of `[start, end)` into its field, which counts as 0. */
export function seal(file: Buffer, start: number, end: number, field: number): void {
  file.writeUInt32LE(0, field);
  file.writeUInt32LE(crc32(file.subarray(start, end)), field);
}

/** LZF without any compression: literal runs. */
export function literals(bytes: Uint8Array): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += 32) {
    const run = bytes.subarray(at, at + 32);
    parts.push(Buffer.of(run.length - 1), Buffer.from(run));
  }
  return Buffer.concat(parts);
}

/** A V1.1 or V1.2 file. `type`: 2 stored, 3 zlib, 5 LZF blocks. */
export function buildV1(format: '1.1' | '1.2', units: readonly UnitSpec[], type = 5): Buffer {
  const headerSize = format === '1.1' ? 64 : 80;
  const header = Buffer.alloc(headerSize);
  header.write(`\x7fVirtualBox SavedState V${format}\n`, 'latin1');
  if (format === '1.2') {
    header.writeUInt16LE(3, 64);
    header.writeUInt32LE(14, 68);
    header.writeUInt32LE(58977, 72);
    header.set([64, 8, 8, 0], 76);
  }
  const end = Buffer.alloc(28);
  end.write('\nTheEnd\0', 'latin1');
  end.writeUInt32LE(28, 8);
  return resealV1(Buffer.concat([header, ...units.map((unit) => unitV1(unit, type)), end]));
}

function unitV1({ name, instance = 0, version = 1, payload, records }: UnitSpec, type: number): Buffer {
  const body = records
    ? Buffer.from(records)
    : payload?.length
      ? Buffer.concat([Buffer.of(type), packV1(payload, type)])
      : Buffer.alloc(0);
  const head = Buffer.alloc(28 + name.length + 1);
  head.write('\nUnit\n\0\0', 'latin1');
  head.writeUInt32LE(head.length + body.length, 8);
  head.writeUInt32LE(version, 16);
  head.writeUInt32LE(instance, 20);
  head.writeUInt32LE(name.length + 1, 24);
  head.write(name, 28, 'latin1');
  return Buffer.concat([head, body]);
}

function packV1(payload: Uint8Array, type: number): Buffer {
  if (type === 3) return deflateSync(payload);
  if (type !== 5) return Buffer.from(payload);
  const blocks: Buffer[] = [];
  for (let at = 0; at < payload.length; at += 8192) {
    const data = literals(payload.subarray(at, at + 8192));
    const head = Buffer.alloc(10);
    head.writeUInt16LE(0x565a, 0);
    head.writeUInt16LE(data.length, 2);
    head.writeUInt16LE(Math.min(8192, payload.length - at), 8);
    blocks.push(head, data);
  }
  return Buffer.concat(blocks);
}

/** Fills in size and CRC of a V1.x file: the CRC covers (size − header size) bytes from offset 44. */
export function resealV1(file: Buffer): Buffer {
  const headerSize = file[28] === 0x32 || file.toString('latin1', 24, 27) === '1.2' ? 80 : 64;
  file.writeBigUInt64LE(BigInt(file.length), 32);
  file.writeUInt32LE(crc32(file.subarray(44, 44 + file.length - headerSize)), 40);
  return file;
}
