import { LzfEncoder as PlainEncoder } from './lzf-encode-plain.ts';
import { lzfDecode as plainDecode, lzfWalk as plainWalk } from './lzf-plain.ts';
import { kernels } from './wasm.ts';

// The LZF that everybody uses, whichever twin does the work. Blocks in the kernels' own memory are worked on where they stand, others are copied.

/** Below this the way into WebAssembly's memory and out of it costs more than it saves. */
const WORTHWHILE = 64;

/** As `lzfDecode` of lzf-plain.ts. */
export function lzfDecode(source: Uint8Array, at: number, length: number, target: Uint8Array, to: number, size: number): boolean {
  if (!kernels || length < WORTHWHILE || length > kernels.block || size > kernels.block) return plainDecode(source, at, length, target, to, size);
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

/** As `LzfEncoder` of lzf-encode-plain.ts. */
export interface LzfEncoder {
  encode(source: Uint8Array, at: number, length: number, target: Uint8Array, to: number, limit: number): number;
}

export function createLzfEncoder(): LzfEncoder {
  return kernels ? { encode: wasmEncode } : new PlainEncoder();
}

function wasmEncode(source: Uint8Array, at: number, length: number, target: Uint8Array, to: number, limit: number): number {
  if (!kernels || length >= kernels.block - 1) return 0;
  const { wasm, memory, output, block } = kernels;
  const place = kernels.place(source, at, length);
  if (kernels.holds(target)) return wasm.lzfEncode(place, length, target.byteOffset + to, limit);
  const size = wasm.lzfEncode(place, length, output, Math.min(limit, block));
  if (size > 0) target.set(memory.subarray(output, output + size), to);
  return size;
}
