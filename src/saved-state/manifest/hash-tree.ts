import type { PageHashes } from '../page-hashes.ts';

/** Children of a node, 4 KiB of hashes: a node covers 2 MiB of memory, its parent 1 GiB. */
const FAN_OUT = 512;
/** 512⁴ pages are 256 TiB: more than a range can have. */
const LEVELS = 4;

export type Hash64 = (bytes: Uint8Array) => bigint;

/**
 * The root of a tree over the hashes of a range's pages. A node is the hash of its children's hashes, 8 bytes each, little endian; 0 when all of them
 * are 0, so that memory which holds only zeros costs nothing.
 */
export function treeRoot(pages: PageHashes, hash: Hash64): bigint {
  let level = new Map<number, BigUint64Array>();
  for (const { page, hashes } of pages.runs()) for (let i = 0; i < hashes.length; i++) setChild(level, page + i, hashes[i]);
  for (let height = 1; height < LEVELS; height++) level = parentsOf(level, hash);
  return level.size === 0 ? 0n : nodeHash(level.get(0) as BigUint64Array, hash);
}

function parentsOf(level: Map<number, BigUint64Array>, hash: Hash64): Map<number, BigUint64Array> {
  const parents = new Map<number, BigUint64Array>();
  for (const [index, children] of level) setChild(parents, index, nodeHash(children, hash));
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

function nodeHash(children: BigUint64Array, hash: Hash64): bigint {
  return hash(new Uint8Array(children.buffer, children.byteOffset, children.byteLength));
}

/** One hash for several ranges, whatever their order. */
export function rootOfRanges(roots: ReadonlyMap<string, bigint>, hash: Hash64): bigint {
  const text = [...roots].map(([name, root]) => `${name}\0${root.toString(16)}\n`).sort();
  return hash(Buffer.from(text.join(''), 'utf8'));
}
