import { LzfEncoder as PlainEncoder } from './lzf-encode-plain.ts';
import { lzfWalk, lzfDecode as plainDecode } from './lzf-plain.ts';
import { loadKernels, type WasmKernels } from './wasm.ts';

// The LZF that everybody uses, whichever twin does the work.

export { lzfWalk };

/** Below this the way into WebAssembly's memory and out of it costs more than it saves. */
const WORTHWHILE = 64;
/** The most that fits its input and its output. */
const BLOCK = 65536;

const kernels = loadKernels();
const memory = kernels && new Uint8Array(kernels.memory.buffer);
const INPUT: number = kernels?.INPUT.value ?? 0;
const OUTPUT: number = kernels?.OUTPUT.value ?? 0;

/** As `lzfDecode` of lzf-plain.ts. */
export const lzfDecode: typeof plainDecode =
  kernels && memory
    ? (source, at, length, target, to, size) => {
        if (length < WORTHWHILE || length > BLOCK || size > BLOCK) return plainDecode(source, at, length, target, to, size);
        memory.set(source.subarray(at, at + length), INPUT);
        const isGood = kernels.decode(length, size) !== 0;
        if (isGood) target.set(memory.subarray(OUTPUT, OUTPUT + size), to);
        return isGood;
      }
    : plainDecode;

/** As `LzfEncoder` of lzf-encode-plain.ts. */
export interface LzfEncoder {
  encode(source: Uint8Array, at: number, length: number, target: Uint8Array, to: number, limit: number): number;
}

export function createLzfEncoder(): LzfEncoder {
  return kernels && memory ? new WasmEncoder(kernels, memory) : new PlainEncoder();
}

class WasmEncoder implements LzfEncoder {
  readonly #kernels: WasmKernels;
  readonly #memory: Uint8Array;

  constructor(kernels: WasmKernels, memory: Uint8Array) {
    this.#kernels = kernels;
    this.#memory = memory;
  }

  encode(source: Uint8Array, at: number, length: number, target: Uint8Array, to: number, limit: number): number {
    if (length >= BLOCK - 1) return 0;
    this.#memory.set(source.subarray(at, at + length), INPUT);
    const size = this.#kernels.encode(length, Math.min(limit, BLOCK));
    if (size > 0) target.set(this.#memory.subarray(OUTPUT, OUTPUT + size), to);
    return size;
  }
}
