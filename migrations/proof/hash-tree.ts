import { bytesOfLongs } from '../../formats/binary/byte-order.ts';
import { PAGE_SIZE } from '../../formats/sizes.ts';
import { HashBatch, type PageHashes } from '../machine/page-hashes.ts';
import { MigrationError } from '../wire/migration-error.ts';

/** Pages under one node: their hashes fill a page, so that a node is hashed as a page is. */
export const NODE_PAGES = PAGE_SIZE / 8;

/**
 * Hashes of the hashes of 512 pages each, as pairs of words; 0 if all of these pages are zero. 1 GiB of memory: 512
 * nodes, under half a millisecond.
 */
export function nodesOf({ words }: { words: Uint32Array }): Uint32Array {
  const bytes = bytesOfLongs(words);
  const count = Math.ceil(bytes.length / PAGE_SIZE);
  const nodes = new Uint32Array(count * 2);
  const batch = new HashBatch(1);
  const at = new Uint32Array(1);
  const last = new Uint8Array(PAGE_SIZE);
  for (let node = 0; node < count; node++) {
    const isWhole = (node + 1) * PAGE_SIZE <= bytes.length;
    if (!isWhole) last.set(bytes.subarray(node * PAGE_SIZE));
    at[0] = isWhole ? node * PAGE_SIZE : 0;
    batch.hash(isWhole ? bytes : last, at, 1);
    nodes.set(batch.words, node * 2);
  }
  return nodes;
}

/** The root over nodes: nodes of nodes, until only one is left. */
export function rootOf(nodes: Uint32Array): bigint {
  let level = nodes;
  while (level.length > 2) level = nodesOf({ words: level });
  return level.length === 0 ? 0n : new BigUint64Array(level.buffer, level.byteOffset, 1)[0];
}

/** Nodes that differ. @throws MigrationError if the trees are not of one machine */
export function differingNodes(own: Uint32Array, other: Uint32Array): number[] {
  if (own.length !== other.length)
    throw new MigrationError(
      'bad-tree',
      `Cannot compare memory: the tree has ${other.length / 2} nodes, expected ${own.length / 2}`,
    );
  const nodes: number[] = [];
  for (let i = 0; i < own.length; i += 2) if (own[i] !== other[i] || own[i + 1] !== other[i + 1]) nodes.push(i / 2);
  return nodes;
}

/** Pages of a node. */
export function pagesOfNode(node: number, hashes: PageHashes): { first: number; count: number } {
  const first = node * NODE_PAGES;
  return { first, count: Math.min(NODE_PAGES, hashes.pageCount - first) };
}
