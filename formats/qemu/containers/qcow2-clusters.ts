import type { ByteSource } from '../../files/source.ts';
import { OFFSET_BITS, type Qcow2Image, type Qcow2Snapshot, readAt, stateStart, tableBitsOf } from './qcow2.ts';

/** Reserved bits in entries of L1 tables, and of L2 tables. */
const RESERVED_L1 = 0x7f00_0000_0000_01ffn;
const RESERVED_L2 = 0x3f00_0000_0000_01fen;
/** Bits of a reference table's entry that hold the offset of a block of counts. */
const COUNTS_OFFSET = 0xffff_ffff_ffff_fe00n;
/** Subclusters of a cluster with an extended L2 entry. */
const PARTS = 32;

/** Callbacks of a walk through the tables of a snapshot. */
export interface ClusterVisitor {
  /**
   * An L2 table, or a cluster of the state. @param host its offset in the image @param place offset of the entry that
   * names it @returns false for an L2 table that is not to be read, as many entries of a hostile image may lead to one
   * table
   */
  cluster(host: number, place: number): boolean | Promise<boolean>;
  /** Called for an entry with reserved bits. @param place offset of the entry */
  reserved(place: number): void;
  /** Bytes of the state for which there is no cluster. @param at offset in the state */
  missing(at: number, size: number): void | Promise<void>;
}

/** Goes through the tables that lead to the state of a snapshot, in the order of the state. */
export async function visitClusters(
  source: ByteSource,
  image: Qcow2Image,
  snapshot: Qcow2Snapshot,
  visitor: ClusterVisitor,
): Promise<void> {
  const clusterSize = 2 ** image.clusterBits;
  const entries = 2 ** tableBitsOf(image);
  const first = stateStart(image, snapshot) / clusterSize;
  const clusters = Math.ceil(snapshot.stateBytes / clusterSize);
  for (let done = 0; done < clusters; ) {
    const index = (first + done) / entries;
    const count = Math.min(entries, clusters - done);
    const place = snapshot.l1Offset + 8 * index;
    const entry = (await readAt(source, place, 8, 'L1 table')).getBigUint64(0);
    const table = Number(entry & OFFSET_BITS);
    if (entry & RESERVED_L1) visitor.reserved(place);
    if (table === 0) await visitor.missing(done * clusterSize, count * clusterSize);
    else if (await visitor.cluster(table, place)) {
      await visitTable(source, image, { table, count, at: done * clusterSize, end: snapshot.stateBytes }, visitor);
    }
    done += count;
  }
}

interface Part {
  /** Offset of the L2 table. */
  table: number;
  /** Number of entries that belong to the state. */
  count: number;
  /** Offset in the state of the first entry's cluster. */
  at: number;
  /** Size of the state, in bytes. */
  end: number;
}

async function visitTable(
  source: ByteSource,
  { clusterBits, extendedL2 }: Qcow2Image,
  { table, count, at, end }: Part,
  visitor: ClusterVisitor,
): Promise<void> {
  const clusterSize = 2 ** clusterBits;
  const entrySize = extendedL2 ? 16 : 8;
  const entries = await readAt(source, table, count * entrySize, 'L2 table');
  for (let i = 0; i < count; i++) {
    const entry = entries.getBigUint64(i * entrySize);
    const host = Number(entry & OFFSET_BITS);
    const from = at + i * clusterSize;
    const size = Math.min(clusterSize, end - from);
    if (entry & RESERVED_L2) visitor.reserved(table + i * entrySize);
    // Bit 0 of a plain entry: all zeros, whatever the cluster holds.
    if (host === 0 && (extendedL2 || (entry & 1n) === 0n)) await visitor.missing(from, size);
    else if (host !== 0) await visitor.cluster(host, table + i * entrySize);
    if (host !== 0 && extendedL2) {
      const [zeros, there] = [entries.getUint32(i * entrySize + 8), entries.getUint32(i * entrySize + 12)];
      const partSize = clusterSize / PARTS;
      for (let part = 0; part * partSize < size; part++)
        if ((((zeros | there) >>> part) & 1) === 0) await visitor.missing(from + part * partSize, partSize);
    }
  }
}

/** Reads the reference counts of clusters. */
export class ClusterCounts {
  readonly #source: ByteSource;
  readonly #image: Qcow2Image;
  #block: DataView | undefined;
  #blockIndex = -1;

  constructor(source: ByteSource, image: Qcow2Image) {
    this.#source = source;
    this.#image = image;
  }

  /** @param cluster number of the cluster @throws QemuFormatError where the image ends before the count */
  async of(cluster: number): Promise<number> {
    const { clusterBits, counts } = this.#image;
    const perBlock = 2 ** (clusterBits + 3 - counts.order);
    const index = Math.floor(cluster / perBlock);
    if (index !== this.#blockIndex) await this.#load(index);
    return this.#block ? countIn(this.#block, cluster % perBlock, counts.order) : 0;
  }

  async #load(index: number): Promise<void> {
    const { clusterBits, counts } = this.#image;
    this.#blockIndex = index;
    this.#block = undefined;
    if (8 * index >= counts.size) return;
    const entry = (await readAt(this.#source, counts.offset + 8 * index, 8, 'table of reference counts')).getBigUint64(
      0,
    );
    const block = Number(entry & COUNTS_OFFSET);
    if (block !== 0) this.#block = await readAt(this.#source, block, 2 ** clusterBits, 'reference counts');
  }
}

/** @param order log2 of the bits of a count, up to 6 */
function countIn(block: DataView, index: number, order: number): number {
  if (order === 6) return Number(block.getBigUint64(8 * index));
  if (order === 5) return block.getUint32(4 * index);
  if (order === 4) return block.getUint16(2 * index);
  const perByte = 8 >> order;
  const bits = 1 << order;
  return (block.getUint8(Math.floor(index / perByte)) >> ((index % perByte) * bits)) & ((1 << bits) - 1);
}
