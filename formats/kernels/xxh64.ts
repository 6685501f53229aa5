import { kernels } from './wasm.ts';
import { xxh64Plain } from './xxh64-plain.ts';

/** xxh64 (seed 0) of `bytes[at, at + length)`. */
export const xxh64: (bytes: Uint8Array, at?: number, length?: number) => bigint = (
  bytes,
  at = 0,
  length = bytes.length - at,
) => {
  if (!kernels) return xxh64Plain(bytes, at, length);
  const { wasm, block } = kernels;
  const end = at + length;
  wasm.xxh64Begin();
  for (; end - at > block; at += block) wasm.xxh64Stripes(kernels.place(bytes, at, block), block);
  return BigInt.asUintN(64, wasm.xxh64End(kernels.place(bytes, at, end - at), end - at, length));
};

/**
 * Computes xxh64 (seed 0) of many blocks at once, without an object per block: `hashes[i]` is the hash of `bytes[at[i],
 * at[i] + length)`.
 * @param length of all blocks, or of each
 */
export function xxh64Batch(
  bytes: Uint8Array,
  at: Uint32Array,
  length: number | Uint32Array,
  count: number,
  hashes: BigUint64Array,
): void {
  for (let start = 0; start < count; ) start += hashSome(bytes, at, length, start, count, hashes);
}

/** Hashes blocks from number `start` on. @returns number of blocks, at least one */
function hashSome(
  bytes: Uint8Array,
  at: Uint32Array,
  length: number | Uint32Array,
  start: number,
  end: number,
  hashes: BigUint64Array,
): number {
  const lengthOf = (i: number) => (typeof length === 'number' ? length : length[i]);
  if (!kernels) {
    hashes[start] = xxh64Plain(bytes, at[start], lengthOf(start));
    return 1;
  }
  const { batchAt, batchLength, batchResult } = kernels;
  const inside = kernels.holds(bytes);
  let count = 0;
  let staged = 0;
  for (let i = start; i < end && count < batchAt.length; i++, count++) {
    const size = lengthOf(i);
    if (!inside && staged + size > kernels.block) break;
    batchAt[count] = inside ? bytes.byteOffset + at[i] : kernels.stage(bytes, at[i], size, staged);
    batchLength[count] = size;
    staged += size;
  }
  if (count === 0) {
    hashes[start] = xxh64Plain(bytes, at[start], lengthOf(start));
    return 1;
  }
  kernels.wasm.xxh64Batch(count);
  hashes.set(count === batchResult.length ? batchResult : batchResult.subarray(0, count), start);
  return count;
}
