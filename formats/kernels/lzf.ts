import { LzfEncoder as PlainEncoder } from './lzf-encode-plain.ts';
import { lzfDecode as plainDecode, lzfWalk as plainWalk } from './lzf-plain.ts';
import { kernels } from './wasm.ts';

// LZF for all callers, by WebAssembly or its plain twin. Blocks in the kernels' own memory are used in place, others
// are copied.

/**
 * Bytes after its input that a decoder may read, since it reads 8 bytes at a time: buffers for blocks need this room at
 * their end.
 */
export const INPUT_SLACK = 32;

/** Smaller blocks cost more time to copy into WebAssembly's memory and back than the kernel saves. */
const WORTHWHILE = 64;

/** As `lzfDecode` of lzf-plain.ts. */
export function lzfDecode(
  source: Uint8Array,
  at: number,
  length: number,
  target: Uint8Array,
  to: number,
  size: number,
): boolean {
  if (!kernels || length < WORTHWHILE || length > kernels.block || size > kernels.block)
    return plainDecode(source, at, length, target, to, size);
  const { wasm, memory, output } = kernels;
  const place = kernels.place(source, at, length);
  if (kernels.holds(target)) return wasm.lzfDecode(place, length, target.byteOffset + to, size) !== 0;
  const isGood = wasm.lzfDecode(place, length, output, size) !== 0;
  if (isGood) target.set(memory.subarray(output, output + size), to);
  return isGood;
}

/** As `lzfWalk` of lzf-plain.ts. */
export function lzfWalk(source: Uint8Array, at: number, length: number, size: number): boolean {
  if (!kernels?.holds(source)) return plainWalk(source, at, length, size);
  return kernels.wasm.lzfWalk(source.byteOffset + at, length, size) !== 0;
}

/**
 * Whether all blocks can be expanded to `size` bytes each: the entries of `[0, count)` whose `encoding` is `wanted`.
 * Faster than one by one.
 */
export function lzfWalkBatch(bytes: Uint8Array, batch: LzfBatch, count: number, wanted: number, size: number): boolean {
  const { encoding, at, length } = batch;
  if (!kernels?.holds(bytes)) {
    for (let i = 0; i < count; i++)
      if (encoding[i] === wanted && !plainWalk(bytes, at[i], length[i], size)) return false;
    return true;
  }
  const { wasm, batchAt, batchLength } = kernels;
  let blocks = 0;
  for (let i = 0; i < count; i++) {
    if (encoding[i] !== wanted) continue;
    batchAt[blocks] = bytes.byteOffset + at[i];
    batchLength[blocks++] = length[i];
    if (blocks < batchAt.length) continue;
    if (wasm.lzfWalkBatch(blocks, size) === 0) return false;
    blocks = 0;
  }
  return wasm.lzfWalkBatch(blocks, size) !== 0;
}

/** Places of blocks, by entry. */
export interface LzfBatch {
  encoding: Uint8Array;
  at: Uint32Array;
  length: Uint32Array;
}

/** As `LzfEncoder` of lzf-encode-plain.ts. */
export interface LzfEncoder {
  encode(source: Uint8Array, at: number, length: number, target: Uint8Array, to: number, limit: number): number;
}

export function createLzfEncoder(): LzfEncoder {
  return kernels ? { encode: wasmEncode } : new PlainEncoder();
}

function wasmEncode(
  source: Uint8Array,
  at: number,
  length: number,
  target: Uint8Array,
  to: number,
  limit: number,
): number {
  if (!kernels || length >= kernels.block - 1) return 0;
  const { wasm, memory, output, block } = kernels;
  const place = kernels.place(source, at, length);
  if (kernels.holds(target)) return wasm.lzfEncode(place, length, target.byteOffset + to, limit);
  const size = wasm.lzfEncode(place, length, output, Math.min(limit, block));
  if (size > 0) target.set(memory.subarray(output, output + size), to);
  return size;
}
