import { hex, UnsupportedError } from '../../errors.ts';
import type { ByteSource } from '../../files/source.ts';
import { QemuFormatError } from '../qemu-error.ts';
import { readPart } from './read-part.ts';

/** An internal snapshot of a qcow2 image. */
export interface Qcow2Snapshot {
  /** The image's own number for it, as text. */
  id: string;
  /** The user's name for it. */
  name: string;
  /** Offset of its entry in the image. */
  entryOffset: number;
  /** Time at which the snapshot was made, in milliseconds since 1970. */
  date: number;
  /** Nanoseconds within the second in which it was made. */
  nanoseconds: number;
  /** The guest's clock, in nanoseconds. */
  guestClock: bigint;
  /** Bytes of the machine's state; 0 for a snapshot of the disk only. */
  stateSize: number;
  /** The 32-bit size that old versions read; 0 if the size does not fit. */
  shortStateSize: number;
  /**
   * Bytes to read: if both sizes differ, the larger one that the tables reach. QEMU itself reads until the stream ends.
   */
  stateBytes: number;
  /** Bytes of the disk as it was then. */
  diskSize: number;
  /** Offset of its L1 table in the image. */
  l1Offset: number;
  /** Entries of 8 bytes in that table. */
  l1Entries: number;
}

/** As much of an image as its snapshots need. */
export interface Qcow2Image {
  /** Version of the format: 2 or 3. */
  version: number;
  /** log2 of the bytes of a cluster. */
  clusterBits: number;
  /** L2 entries have 16 bytes, with bits for 32 subclusters. */
  extendedL2: boolean;
  /** Bytes of the disk. */
  diskSize: number;
  /** QEMU has found the image damaged before, and marked it. */
  isCorrupt: boolean;
  /** Refcounts: offset and bytes of the refcount table, log2 of the bits of a refcount. */
  counts: { offset: number; size: number; order: number };
  /** Offset of the table of snapshots. */
  tableOffset: number;
  /** Snapshots in the order of the image's table. */
  snapshots: Qcow2Snapshot[];
}

export const QCOW2_MAGIC = 0x514649fb;

const HEADER_SIZE = 112;
/** Offsets in the header: of the version, of the backing file's name (0 there: none), of the incompatible features. */
export const QCOW2_PLACES = { VERSION: 4, BACKING: 8, INCOMPATIBLE: 72 } as const;
export const INCOMPATIBLE = { CORRUPT: 1n << 1n, EXTERNAL_DATA: 1n << 2n, EXTENDED_L2: 1n << 4n };
/** Dirty, corrupt, compression type, extended L2: an image with any of them can be read. */
const READABLE = 0b11011n;
/** Refcounts have 2^4 bits, unless the header says otherwise. */
const COUNT_ORDER = 4;
const MAX_SNAPSHOTS = 65536;
const SNAPSHOT_HEAD = 40;
/** Bytes of a snapshot's extra data: 24 have been seen. */
const MAX_EXTRA = 1024;
/** QEMU's own limit: 32 MiB of L1 table. */
const MAX_L1_ENTRIES = (32 * 1024 * 1024) / 8;
export const OFFSET_BITS = 0x00fffffffffffe00n;

/** Reads header and snapshot table. Source: qemu-stream.md 7. @throws QemuFormatError, UnsupportedError */
export async function readQcow2(source: ByteSource): Promise<Qcow2Image> {
  const header = await readAt(source, 0, HEADER_SIZE, 'header', 72);
  const version = header.getUint32(QCOW2_PLACES.VERSION);
  if (header.getUint32(0) !== QCOW2_MAGIC)
    throw new QemuFormatError('not-qcow2', 'Cannot read image: it is no qcow2 image', { offset: 0 });
  if (version !== 2 && version !== 3)
    throw new UnsupportedError('qcow2-version', `Cannot read qcow2 image: version ${version}, expected 2 or 3`, {
      offset: 4,
    });
  const clusterBits = header.getUint32(20);
  if (clusterBits < 9 || clusterBits > 21)
    throw new QemuFormatError(
      'bad-qcow2',
      `Cannot read qcow2 image: clusters of 2^${clusterBits} bytes, expected 2^9 to 2^21`,
      { offset: 20 },
    );
  if (header.getUint32(32) !== 0)
    throw new UnsupportedError('encrypted', 'Cannot read qcow2 image: it is encrypted', { offset: 32 });
  const incompatible = version === 3 ? header.getBigUint64(QCOW2_PLACES.INCOMPATIBLE) : 0n;
  if (incompatible & INCOMPATIBLE.EXTERNAL_DATA)
    throw new UnsupportedError('external-data', 'Cannot read qcow2 image: its data is in another file', { offset: 72 });
  if (incompatible & ~READABLE)
    throw new UnsupportedError('qcow2-features', `Cannot read qcow2 image: features ${hex(incompatible)} are unknown`, {
      offset: 72,
    });
  const image = {
    version,
    clusterBits,
    extendedL2: (incompatible & INCOMPATIBLE.EXTENDED_L2) !== 0n,
    diskSize: Number(header.getBigUint64(24)),
    isCorrupt: (incompatible & INCOMPATIBLE.CORRUPT) !== 0n,
    counts: {
      offset: Number(header.getBigUint64(48)),
      size: header.getUint32(56) * 2 ** clusterBits,
      order: version === 3 ? header.getUint32(96) : COUNT_ORDER,
    },
    tableOffset: Number(header.getBigUint64(64)),
  };
  const count = header.getUint32(60);
  if (count > MAX_SNAPSHOTS)
    throw new QemuFormatError(
      'bad-qcow2',
      `Cannot read qcow2 image: ${count} snapshots, expected at most ${MAX_SNAPSHOTS}`,
      { offset: 60 },
    );
  const { tableOffset: table } = image;
  if (count > 0 && !isPlace(source, table, SNAPSHOT_HEAD, clusterBits))
    throw new QemuFormatError(
      'bad-qcow2',
      `Cannot read qcow2 image: its snapshot table is said to be at ${hex(table)}`,
      { offset: 64 },
      'Snapshot table offset invalid',
    );
  const snapshots = (await readSnapshots(source, table, count, image.diskSize)).map((each) => ({
    ...each,
    stateBytes: bytesToRead(image, each),
  }));
  for (const { name, l1Offset, l1Entries } of snapshots) {
    if (l1Entries === 0 || isPlace(source, l1Offset, 8 * l1Entries, clusterBits)) continue;
    const message =
      `Cannot read snapshot table: the L1 table of ${JSON.stringify(name)} is said to be at ` + `${hex(l1Offset)}`;
    throw new QemuFormatError('bad-qcow2', message, { offset: table }, 'Failed to load snapshot');
  }
  return { ...image, snapshots };
}

/** Whether a table of so many bytes can lie there: tables begin with a cluster, and end within the file. */
export function isPlace(source: ByteSource, offset: number, length: number, clusterBits: number): boolean {
  return offset > 0 && offset % 2 ** clusterBits === 0 && offset + length <= (source.size ?? Number.POSITIVE_INFINITY);
}

/** A snapshot by its entry in the table. */
type SnapshotEntry = Omit<Qcow2Snapshot, 'stateBytes'>;

function bytesToRead(image: Geometry, snapshot: SnapshotEntry): number {
  const reach = snapshot.l1Entries * spanOfTable(image) - stateStart(image, snapshot);
  const { stateSize, shortStateSize } = snapshot;
  return Math.max(...[stateSize, shortStateSize].filter((size) => size <= reach), 0) || stateSize;
}

async function readSnapshots(
  source: ByteSource,
  start: number,
  count: number,
  diskSize: number,
): Promise<SnapshotEntry[]> {
  const snapshots: SnapshotEntry[] = [];
  for (let at = start, i = 0; i < count; i++) {
    const head = await readAt(source, at, SNAPSHOT_HEAD, 'snapshot table');
    const [idLength, nameLength, extraSize] = [head.getUint16(12), head.getUint16(14), head.getUint32(36)];
    if (extraSize > MAX_EXTRA)
      throw new QemuFormatError(
        'bad-qcow2',
        `Cannot read snapshot table: ${extraSize} bytes of extra data at ${hex(at)}`,
        { offset: at },
      );
    const rest = await readAt(source, at + SNAPSHOT_HEAD, extraSize + idLength + nameLength, 'snapshot table');
    const l1Entries = head.getUint32(8);
    if (l1Entries > MAX_L1_ENTRIES)
      throw new QemuFormatError(
        'bad-qcow2',
        `Cannot read snapshot table: ${l1Entries} L1 entries at ${hex(at)}`,
        { offset: at },
        'Failed to load snapshot: File too large',
      );
    // QEMU numbers all snapshots, so an entry without an id is damaged.
    if (idLength === 0)
      throw new QemuFormatError('bad-qcow2', `Cannot read snapshot table: the snapshot at ${hex(at)} has no id`, {
        offset: at,
      });
    const text = (from: number, length: number) =>
      utf8.decode(new Uint8Array(rest.buffer, rest.byteOffset + from, length));
    snapshots.push({
      entryOffset: at,
      l1Offset: Number(head.getBigUint64(0)),
      l1Entries,
      date: head.getUint32(16) * 1000 + Math.floor(head.getUint32(20) / 1e6),
      nanoseconds: head.getUint32(20),
      shortStateSize: head.getUint32(32),
      guestClock: head.getBigUint64(24),
      stateSize: extraSize >= 8 ? Number(rest.getBigUint64(0)) : head.getUint32(32),
      diskSize: extraSize >= 16 ? Number(rest.getBigUint64(8)) : diskSize,
      id: text(extraSize, idLength),
      name: text(extraSize + idLength, nameLength),
    });
    at = Math.ceil((at + SNAPSHOT_HEAD + extraSize + idLength + nameLength) / 8) * 8;
  }
  return snapshots;
}

const utf8 = new TextDecoder();

/** Parameters that determine the span of a table. */
type Geometry = Pick<Qcow2Image, 'clusterBits' | 'extendedL2'>;

/** log2 of the entries of an L2 table. */
export function tableBitsOf({ clusterBits, extendedL2 }: Geometry): number {
  return clusterBits - (extendedL2 ? 4 : 3);
}

/** Bytes of the image that an L2 table maps. */
function spanOfTable(image: Geometry): number {
  return 2 ** (image.clusterBits + tableBitsOf(image));
}

/** Guest offset in the image at which the machine's state begins: after the disk, where an L2 table begins. */
export function stateStart(image: Geometry, { diskSize }: Pick<Qcow2Snapshot, 'diskSize'>): number {
  const span = spanOfTable(image);
  return Math.ceil(diskSize / span) * span;
}

/** A part of the image; see `readPart`. Its numbers are big-endian. */
export async function readAt(source: ByteSource, position: number, length: number, what: string, least?: number) {
  return new DataView((await readPart(source, position, length, `${what} of qcow2 image`, least)).buffer);
}
