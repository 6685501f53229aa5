import { hex, UnsupportedError } from '../../errors.ts';
import { type ByteSource, readFrom } from '../../files/source.ts';
import { QemuFormatError } from '../qemu-error.ts';
import { isPlace, OFFSET_BITS, type Qcow2Image, type Qcow2Snapshot, readAt, stateStart, tableBitsOf } from './qcow2.ts';

/** Bit of an L2 entry whose cluster is compressed. */
const COMPRESSED = 1n << 62n;

/**
 * The machine's state in a snapshot, as a source. It lies in the guest's address space of the image, after the disk.
 * Zero clusters and clusters that were never written read as zeros.
 */
export class SnapshotSource implements ByteSource {
  readonly name: string;
  readonly size: number;
  readonly seekable = true;
  readonly #source: ByteSource;
  readonly #image: Qcow2Image;
  readonly #snapshot: Qcow2Snapshot;
  /** Guest offset of the state. */
  readonly #start: number;
  /** The L2 table that was used last. */
  #table: DataView | undefined;
  #tableIndex = -1;

  constructor(source: ByteSource, image: Qcow2Image, snapshot: Qcow2Snapshot) {
    this.name = source.name;
    this.size = snapshot.stateBytes;
    this.#source = source;
    this.#image = image;
    this.#snapshot = snapshot;
    this.#start = stateStart(image, snapshot);
  }

  async read(target: Uint8Array, position: number): Promise<number> {
    const wanted = Math.max(0, Math.min(target.length, this.size - position));
    const clusterSize = 2 ** this.#image.clusterBits;
    // Each of 32 parts of a cluster may be zeros.
    const step = this.#image.extendedL2 ? clusterSize / 32 : clusterSize;
    for (let done = 0; done < wanted; ) {
      const guest = this.#start + position + done;
      const count = Math.min(wanted - done, step - (guest % step));
      const part = target.subarray(done, done + count);
      const host = await this.#place(guest);
      const read = host === undefined ? 0 : await readFrom(this.#source, part, host);
      if (host === undefined) part.fill(0);
      else if (read < count) return done + read;
      done += count;
    }
    return wanted;
  }

  async close(): Promise<void> {
    await this.#source.close();
  }

  /** Offset in the image of a byte of the guest's address space; undefined for zeros. */
  async #place(guest: number): Promise<number | undefined> {
    const { clusterBits, extendedL2 } = this.#image;
    const tableBits = tableBitsOf(this.#image);
    const cluster = Math.floor(guest / 2 ** clusterBits);
    const within = guest % 2 ** clusterBits;
    const table = await this.#l2(Math.floor(cluster / 2 ** tableBits));
    if (!table) return undefined;
    const at = (cluster % 2 ** tableBits) * (extendedL2 ? 16 : 8);
    const entry = table.getBigUint64(at);
    if (entry & COMPRESSED)
      throw new UnsupportedError('compressed-cluster', `Cannot read snapshot: cluster ${cluster} is compressed`, {
        offset: guest,
      });
    const host = Number(entry & OFFSET_BITS);
    const isThere = extendedL2
      ? (table.getBigUint64(at + 8) & (1n << BigInt(Math.floor(within / 2 ** (clusterBits - 5))))) !== 0n
      : (entry & 1n) === 0n;
    return host !== 0 && isThere ? host + within : undefined;
  }

  async #l2(index: number): Promise<DataView | undefined> {
    if (index === this.#tableIndex) return this.#table;
    const { l1Offset, l1Entries, name } = this.#snapshot;
    if (index >= l1Entries) {
      throw new QemuFormatError(
        'bad-qcow2',
        `Cannot read snapshot ${JSON.stringify(name)}: its L1 table has ${l1Entries} entries, which do not ` +
          'reach its state',
        { offset: l1Offset },
      );
    }
    const entry = (await readAt(this.#source, l1Offset + 8 * index, 8, 'L1 table')).getBigUint64(0);
    const offset = Number(entry & OFFSET_BITS);
    if (offset !== 0 && !isPlace(this.#source, offset, 2 ** this.#image.clusterBits, this.#image.clusterBits))
      throw new QemuFormatError(
        'bad-qcow2',
        `Cannot read snapshot ${JSON.stringify(name)}: its L1 table leads to ${hex(offset)}`,
        { offset: l1Offset + 8 * index },
      );
    this.#table =
      offset === 0 ? undefined : await readAt(this.#source, offset, 2 ** this.#image.clusterBits, 'L2 table');
    this.#tableIndex = index;
    return this.#table;
  }
}
