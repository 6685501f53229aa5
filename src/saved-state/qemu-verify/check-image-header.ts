import type { ByteSource } from '../../../formats/files/source.ts';
import { type Qcow2Image, type Qcow2Snapshot, readAt } from '../../../formats/qemu/containers/qcow2.ts';
import { MIB } from '../../../formats/sizes.ts';

/** Sizes of headers: of version 2, of version 3, and as QEMU 5.1 and newer write it. */
const OLD_SIZE = 72;
const NEW_SIZE = 104;
const WHOLE_SIZE = 112;
const SECTOR = 512n;
const MAX_BACKING_NAME = 1023;
/** QEMU's own limit, in bytes. */
export const MAX_COUNTS_TABLE = 8 * MIB;
/** Known feature bits: lazy reference counts; bitmaps, raw external data. */
const COMPATIBLE = 0b1n;
const AUTOCLEAR = 0b11n;
const BITMAPS_BIT = 1n;
const RAW_DATA_BIT = 1n << 1n;
const BITMAPS_EXTENSION = 0x2385_2875;
const EXTENSION_HEAD = 8;
const COMPRESSION_BIT = 1n << 3n;
const L1_BITS = 0x00ff_ffff_ffff_fe00n;

/** A fault of an image with its offset, and QEMU's message if QEMU refuses the image. */
export interface ImageFault {
  what: string;
  offset: number;
  qemuSays?: string;
}

/**
 * Checks fields of a header that are not needed for reading snapshots. QEMU checks some of them when it opens the
 * image. Source: qemu-stream.md 7.
 */
export async function* faultsOfHeader(source: ByteSource, image: Qcow2Image): AsyncGenerator<ImageFault> {
  const header = await readAt(source, 0, WHOLE_SIZE, 'header', OLD_SIZE);
  const clusterSize = 2 ** image.clusterBits;
  yield* faultsOfBackingFile(header, clusterSize);
  const diskSize = header.getBigUint64(24);
  if (diskSize % SECTOR !== 0n) yield { what: `the disk has ${diskSize} bytes, no whole sectors`, offset: 24 };
  const [l1Entries, l1Offset] = [header.getUint32(36), header.getBigUint64(40)];
  const span = BigInt(clusterSize) * BigInt(clusterSize / (image.extendedL2 ? 16 : 8));
  if (BigInt(l1Entries) * span < diskSize)
    yield {
      what: `the L1 table of the disk has ${l1Entries} entries, too few`,
      offset: 36,
      qemuSays: 'L1 table is too small',
    };
  if (!isTable(source, l1Offset, 8 * l1Entries, clusterSize))
    yield {
      what: 'the L1 table of the disk is at an impossible offset',
      offset: 40,
      qemuSays: 'Active L1 table offset invalid',
    };
  if (image.version === 3) {
    yield* faultsOfNewFields(header, clusterSize);
    yield* faultsOfBitmaps(source, header, clusterSize);
  }
  if (image.version !== 3 && (header.getUint32(100) === NEW_SIZE || header.getUint32(100) === WHOLE_SIZE))
    yield { what: 'the version is 2, but the header has fields of version 3', offset: 4 };
}

function* faultsOfBackingFile(header: DataView, clusterSize: number): Generator<ImageFault> {
  const [offset, length] = [header.getBigUint64(8), header.getUint32(16)];
  if (offset === 0n && length !== 0)
    yield { what: `there is no backing file, but its name has ${length} bytes`, offset: 16 };
  if (offset > BigInt(clusterSize))
    yield {
      what: 'the name of the backing file lies beyond the header',
      offset: 8,
      qemuSays: 'Invalid backing file offset',
    };
  else if (offset !== 0n && (length > MAX_BACKING_NAME || BigInt(length) + offset > BigInt(clusterSize)))
    yield {
      what: `the name of the backing file has ${length} bytes`,
      offset: 16,
      qemuSays: 'Backing file name too long',
    };
  else if (offset !== 0n && (length === 0 || offset < BigInt(OLD_SIZE)))
    yield { what: 'the name of the backing file lies within the header, or is empty', offset: 8 };
}

function* faultsOfNewFields(header: DataView, clusterSize: number): Generator<ImageFault> {
  const length = header.getUint32(100);
  if (length < NEW_SIZE)
    yield { what: `the header is said to have ${length} bytes`, offset: 100, qemuSays: 'qcow2 header too short' };
  else if (length > clusterSize)
    yield {
      what: `the header is said to have ${length} bytes`,
      offset: 100,
      qemuSays: 'qcow2 header exceeds cluster size',
    };
  else if (length % 8 !== 0) yield { what: `the header is said to have ${length} bytes`, offset: 100 };
  if (header.getBigUint64(80) & ~COMPATIBLE) yield { what: 'unknown compatible features', offset: 80 };
  if (header.getBigUint64(88) & ~AUTOCLEAR) yield { what: 'unknown autoclear features', offset: 88 };
  // An image with a data file of its own is refused before.
  if (header.getBigUint64(88) & RAW_DATA_BIT)
    yield {
      what: 'the features tell of a raw data file, and of no data file',
      offset: 88,
      qemuSays: 'data-file-raw requires a data file',
    };
  if (length < WHOLE_SIZE) return;
  const type = header.getUint8(104);
  if (type > 1 || (type !== 0) !== ((header.getBigUint64(72) & COMPRESSION_BIT) !== 0n))
    yield {
      what: `compression type ${type}, which the features contradict`,
      offset: 104,
      qemuSays: 'Compression type incompatible feature bit must',
    };
  if (header.getUint32(104) & 0xff_ffff || header.getUint32(108))
    yield { what: 'bytes in the padding of the header', offset: 105 };
}

/**
 * Finds bitmaps without a place: QEMU does not write to an image that claims bitmaps, if no extension of its header
 * tells where they are.
 */
async function* faultsOfBitmaps(source: ByteSource, header: DataView, clusterSize: number): AsyncGenerator<ImageFault> {
  if ((header.getBigUint64(88) & BITMAPS_BIT) === 0n) return;
  for (let at = header.getUint32(100); at + EXTENSION_HEAD <= clusterSize; ) {
    const head = await readAt(source, at, EXTENSION_HEAD, 'extension of the header');
    const type = head.getUint32(0);
    if (type === BITMAPS_EXTENSION) return;
    if (type === 0) break;
    at += EXTENSION_HEAD + Math.ceil(head.getUint32(4) / 8) * 8;
  }
  yield {
    what: 'the features tell of bitmaps of the disk, and the header of none',
    offset: 88,
    qemuSays: 'Preventing invalid write on metadata (overlaps with bitmap directory)',
  };
}

/** Contradictions and impossible values in the entry of a snapshot. */
export function* faultsOfSnapshot(snapshots: readonly Qcow2Snapshot[], snapshot: Qcow2Snapshot): Generator<ImageFault> {
  const { id, entryOffset, shortStateSize, stateSize, diskSize, nanoseconds, guestClock } = snapshot;
  const entry = (at: number, what: string): ImageFault => ({ what, offset: entryOffset + at });
  const expected = stateSize > 0xffff_ffff ? 0 : stateSize;
  if (shortStateSize !== expected)
    yield entry(32, `it gives two sizes of the state, ${shortStateSize} and ${stateSize}`);
  if (nanoseconds >= 1e9) yield entry(20, `its date has ${nanoseconds} nanoseconds`);
  if (guestClock >= 1n << 63n) yield entry(24, "its guest's clock is before the start");
  if (BigInt(diskSize) % SECTOR !== 0n) yield entry(48, `its disk has ${diskSize} bytes, no whole sectors`);
  if (!/^\d+$/.test(id)) yield entry(12, `its number is ${JSON.stringify(id)}`);
  if (snapshots.filter((other) => other.id === id).length > 1)
    yield entry(12, `another snapshot has the same number ${id}`);
}

/** Checks that the entries of the table of reference counts lead to clusters. */
export async function* faultsOfCounts(
  source: ByteSource,
  { counts, clusterBits }: Qcow2Image,
): AsyncGenerator<ImageFault> {
  const clusterSize = 2 ** clusterBits;
  if (counts.size > MAX_COUNTS_TABLE) {
    yield {
      what: `the table of reference counts has ${counts.size} bytes, expected at most ${MAX_COUNTS_TABLE}`,
      offset: 56,
      qemuSays: 'Reference count table too large',
    };
    return;
  }
  if (!isTable(source, BigInt(counts.offset), counts.size, clusterSize) || counts.size === 0) {
    yield {
      what: 'the table of reference counts is at an impossible offset',
      offset: 48,
      qemuSays: 'Reference count table offset invalid',
    };
    return;
  }
  for (let at = 0; at < counts.size; at += clusterSize) {
    const table = await readAt(source, counts.offset + at, clusterSize, 'table of reference counts');
    for (let i = 0; i < clusterSize; i += 8) {
      const block = table.getBigUint64(i);
      if (block === 0n || (block === (block & L1_BITS) && isTable(source, block, clusterSize, clusterSize))) continue;
      yield { what: 'an entry of the table of reference counts leads to no block', offset: counts.offset + at + i };
      return;
    }
  }
}

function isTable(
  { size = Number.MAX_SAFE_INTEGER }: ByteSource,
  offset: bigint,
  length: number,
  clusterSize: number,
): boolean {
  return offset > 0n && offset % BigInt(clusterSize) === 0n && offset + BigInt(length) <= BigInt(size);
}
