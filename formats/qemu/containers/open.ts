import { NotAStateError, UsageError } from '../../errors.ts';
import { expandedSource } from '../../files/expanded-source.ts';
import { type FailingDisk, HOLE } from '../../files/failing-disk.ts';
import { PACKING_HEAD_SIZE, type Packing, packingOf } from '../../files/packings.ts';
import { peek } from '../../files/peeked-source.ts';
import { ReadableParts } from '../../files/readable-parts.ts';
import type { ByteSource } from '../../files/source.ts';
import { STREAM_MAGIC } from '../constants.ts';
import { QemuFormatError } from '../qemu-error.ts';
import { QemuStreamReader } from '../stream/stream-reader.ts';
import {
  LIBVIRT_HEADER_SIZE,
  LIBVIRT_MAGIC,
  LIBVIRT_PART_MAGIC,
  type LibvirtImage,
  readLibvirtImage,
} from './libvirt-image.ts';
import { QCOW2_MAGIC, type Qcow2Image, type Qcow2Snapshot, readQcow2 } from './qcow2.ts';
import { SnapshotSource } from './snapshot-source.ts';

/** Container of QEMU's stream. */
export type QemuContainer =
  | { kind: 'stream' }
  | {
      kind: 'libvirt';
      /** Head of the save image. */
      image: LibvirtImage;
    }
  | {
      kind: 'qcow2';
      /** Header of the disk image, and its snapshots. */
      image: Qcow2Image;
      /** The snapshot that is read. */
      snapshot: Qcow2Snapshot;
    };

/** A state of QEMU with a reader at the start of its stream. */
export interface OpenedQemuState {
  /** Container of the stream. */
  container: QemuContainer;
  /** Reader, positioned after the configuration, before the first section. */
  reader: QemuStreamReader;
  /** The file, or its decompressed contents. */
  stream: ByteSource;
  /** Offset in `stream` at which QEMU's stream begins. */
  start: number;
  /** Tells which bytes of `stream` are made up, as the disk did not give them; undefined if it gave all. */
  parts: ReadableParts | undefined;
  /** Gives memory and helpers back; the source stays open. */
  release(): Promise<void>;
}

/** Options for opening a state of QEMU. */
export interface OpenQemuOptions {
  /** Take images of libvirt that are marked as not finished, too. */
  unfinished?: boolean;
  /** Go on over bytes that the disk cannot read, in a seekable source. */
  disk?: FailingDisk | undefined;
  /** Ends the reading. */
  signal?: AbortSignal;
}

/** Bytes of a file that suffice to tell its kind. */
export const HEAD_SIZE = 16;

/** The container that begins with these bytes; undefined for bytes that begin no state of QEMU. */
export function qemuContainerOf(head: Uint8Array): QemuContainer['kind'] | undefined {
  if (head.length < HEAD_SIZE) return undefined;
  const text = Buffer.from(head.buffer, head.byteOffset, HEAD_SIZE).toString('latin1');
  if (text === LIBVIRT_MAGIC || text === LIBVIRT_PART_MAGIC) return 'libvirt';
  const magic = new DataView(head.buffer, head.byteOffset).getUint32(0);
  return magic === STREAM_MAGIC ? 'stream' : magic === QCOW2_MAGIC ? 'qcow2' : undefined;
}

/**
 * Finds the stream in its container. In a disk image with several snapshots, the source's `part` names one.
 * @throws QemuFormatError, UnsupportedError, UsageError `which-snapshot`
 */
export async function openQemuState(whole: ByteSource, options: OpenQemuOptions = {}): Promise<OpenedQemuState> {
  const { head, source } = await peek(whole, HEAD_SIZE);
  const kind = qemuContainerOf(head);
  const { disk, signal } = options;
  if (kind === undefined || kind === 'stream')
    return opened({ kind: 'stream' }, disk?.partsOf(source) ?? source, { signal });
  if (kind === 'libvirt') {
    const parts = disk?.partsOf(source);
    const image = await readLibvirtImage(parts?.filledWith(HOLE) ?? source, options.unfinished);
    // The numbers in the image's head have to be readable; its XML need not be.
    if (parts?.badIn(0, LIBVIRT_HEADER_SIZE)) await readLibvirtImage(source);
    const { compression, streamStart } = image;
    if (compression === 'raw' || compression === 'sparse')
      return opened({ kind, image }, parts ?? source, { start: streamStart, signal });
    // Bytes after a hole in packed bytes cannot be told from bytes that were saved.
    const packed = parts?.untilUnreadable(streamStart) ?? source;
    await expectPacked(packed, streamStart, compression);
    return opened(
      { kind, image },
      expandedSource(packed, streamStart, compression, badCompression, disk !== undefined),
      { signal, isOurs: true },
    );
  }
  const image = await readImage(source);
  const chosen = chooseSnapshot(image.snapshots, source.part, source.name);
  const state = new SnapshotSource(source, image, chosen);
  await expectStart(state, chosen);
  return opened({ kind, image, snapshot: chosen }, disk?.partsOf(state) ?? state, { signal });
}

/**
 * Checks the magic of the compression: some programs expand other formats as well, and would hide a damaged format
 * field.
 */
async function expectPacked(source: ByteSource, start: number, compression: Packing): Promise<void> {
  if (!source.seekable) return;
  const head = new Uint8Array(PACKING_HEAD_SIZE);
  await source.read(head, start);
  if (packingOf(head) === compression) return;
  throw badCompression(`Cannot read save image: its format is ${compression}, and its stream does not begin so`);
}

function badCompression(message: string): QemuFormatError {
  return new QemuFormatError('bad-compression', message, {}, 'load of migration failed: Input/output error');
}

async function opened(
  container: QemuContainer,
  from: ByteSource | ReadableParts,
  { start = 0, signal, isOurs = false }: { start?: number; signal: AbortSignal | undefined; isOurs?: boolean },
): Promise<OpenedQemuState> {
  const parts = from instanceof ReadableParts ? from : undefined;
  const source = from instanceof ReadableParts ? from.filledWith(HOLE) : from;
  try {
    const reader = await QemuStreamReader.open(source, { start, parts, signal });
    return {
      container,
      reader,
      stream: source,
      start,
      parts,
      async release() {
        reader.release();
        if (isOurs) await source.close();
      },
    };
  } catch (error) {
    if (isOurs) await source.close();
    throw error;
  }
}

/**
 * The disk image, if it holds several saved machines or none, and no snapshot was named. @throws QemuFormatError,
 * UnsupportedError
 */
export async function imageToChooseFrom(whole: ByteSource): Promise<Qcow2Image | undefined> {
  const { head, source } = await peek(whole, HEAD_SIZE);
  if (qemuContainerOf(head) !== 'qcow2' || source.part !== undefined) return undefined;
  const image = await readImage(source);
  return image.snapshots.filter(({ stateBytes }) => stateBytes > 0).length === 1 ? undefined : image;
}

/** Checks that the state begins like a stream: a wrong table leads to other clusters. */
async function expectStart(state: ByteSource, { name, l1Offset }: Qcow2Snapshot): Promise<void> {
  const start = new Uint8Array(HEAD_SIZE);
  await state.read(start, 0);
  if (qemuContainerOf(start) === 'stream') return;
  const message = `Cannot read snapshot ${JSON.stringify(name)}: its tables do not lead to the state of a machine`;
  throw new QemuFormatError('bad-qcow2', message, { offset: l1Offset }, `Could not load snapshot '${name}'`);
}

async function readImage(source: ByteSource): Promise<Qcow2Image> {
  if (!source.seekable)
    throw new UsageError('not-seekable', `Cannot read disk image from ${source.name}: it must be a file`);
  return readQcow2(source);
}

function chooseSnapshot(snapshots: readonly Qcow2Snapshot[], wanted: string | undefined, file: string): Qcow2Snapshot {
  const states = snapshots.filter(({ stateBytes }) => stateBytes > 0);
  const names = states.map(({ name }) => JSON.stringify(name)).join(', ');
  if (wanted === undefined && states.length === 1) return states[0];
  const named = states.filter(({ name }) => name === wanted);
  const found = named.length > 0 ? named : states.filter(({ id }) => id === wanted);
  if (found.length === 1) return found[0];
  if (states.length === 0)
    throw new NotAStateError(
      'not-a-saved-state',
      'Cannot read file: not a saved state, it is a disk image (qcow2) without a saved machine in it',
      { offset: 0 },
    );
  throw new UsageError(
    'which-snapshot',
    `Cannot read ${file}: ${missing(snapshots, wanted, found)} It has ${names}: name one as FILE:SNAPSHOT`,
  );
}

function missing(snapshots: readonly Qcow2Snapshot[], wanted: string | undefined, found: Qcow2Snapshot[]): string {
  if (wanted === undefined) return 'which snapshot?';
  const text = JSON.stringify(wanted);
  if (found.length > 1)
    return `${found.length} snapshots are called ${text}, with the numbers ${found.map(({ id }) => id).join(', ')}.`;
  const isThere = snapshots.some(({ name, id }) => name === wanted || id === wanted);
  return isThere ? `snapshot ${text} is one of the disk alone.` : `there is no snapshot ${text}.`;
}
