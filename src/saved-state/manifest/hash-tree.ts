import { bytesOfLongs } from '../../../formats/binary/byte-order.ts';
import { xxh64 } from '../../../formats/kernels/xxh64.ts';
import type { SpanHashes } from '../hashing/span-hashes.ts';

/** Children of a node, 4 KiB of hashes: a node covers 2 MiB of memory, its parent 1 GiB. */
const FAN_OUT = 512;
/** 512⁴ pages are 256 TiB: more than a range can have. */
const LEVELS = 4;
/** Maximum number of pages that a tree covers. */
export const MAX_PAGES = FAN_OUT ** LEVELS;

/**
 * The root of a tree over the hashes of a range's pages. A node is the hash of its children's hashes, 8 bytes each,
 * little endian; 0 when all of them are 0, so that memory which holds only zeros costs nothing.
 */
export function treeRoot(pages: SpanHashes): bigint {
  let level = new Map<number, BigUint64Array>();
  for (const { page, hashes } of pages.runs())
    for (let i = 0; i < hashes.length; i++) setChild(level, page + i, hashes[i]);
  for (let height = 1; height < LEVELS; height++) level = parentsOf(level);
  return level.size === 0 ? 0n : nodeHash(level.get(0) as BigUint64Array);
}

function parentsOf(level: Map<number, BigUint64Array>): Map<number, BigUint64Array> {
  const parents = new Map<number, BigUint64Array>();
  for (const [index, children] of level) setChild(parents, index, nodeHash(children));
  return parents;
}

function setChild(level: Map<number, BigUint64Array>, index: number, hash: bigint): void {
  const key = Math.floor(index / FAN_OUT);
  let children = level.get(key);
  if (!children) {
    children = new BigUint64Array(FAN_OUT);
    level.set(key, children);
  }
  children[index % FAN_OUT] = hash;
}

function nodeHash(children: BigUint64Array): bigint {
  return xxh64(bytesOfLongs(children));
}

/** One hash for several ranges, whatever their order. */
export function rootOfRanges(roots: ReadonlyMap<string, bigint>): bigint {
  const text = [...roots].map(([name, root]) => `${name}\0${root.toString(16)}\n`).sort();
  return xxh64(Buffer.from(text.join(''), 'utf8'));
}
