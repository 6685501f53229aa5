import { existsSync, readFileSync } from 'node:fs';
import { endianness } from 'node:os';

// The part of the WebAssembly interface that is used here; TypeScript declares it with those of browsers only.
declare const WebAssembly: {
  Module: new (bytes: Uint8Array) => object;
  Instance: new (module: object) => { exports: unknown };
};

interface Global {
  value: number;
}

/**
 * Exports of kernels.wasm, which are described in assembly/. Arguments called `at` and `to` are addresses in `memory`.
 */
interface Exports {
  memory: { buffer: ArrayBuffer };
  INPUT: Global;
  OUTPUT: Global;
  BLOCK: Global;
  BATCH: Global;
  BATCH_AT: Global;
  BATCH_LENGTH: Global;
  BATCH_RESULT: Global;
  ARENA: Global;
  ARENA_SLOT: Global;
  ARENA_SLOTS: Global;
  lzfDecode(at: number, length: number, to: number, size: number): number;
  lzfWalk(at: number, length: number, size: number): number;
  lzfWalkBatch(count: number, size: number): number;
  lzfEncode(at: number, length: number, to: number, limit: number): number;
  xxh64(at: number, length: number): bigint;
  xxh64Batch(count: number): void;
  xxh64Begin(): void;
  xxh64Stripes(at: number, length: number): void;
  xxh64End(at: number, length: number, total: number): bigint;
  isZero(at: number, length: number): number;
  wordDelta(base: number, page: number, to: number, limit: number): number;
  applyWordDelta(at: number, length: number, page: number): number;
}

/** The build puts the module beside this file. */
const FILE = new URL('./kernels.wasm', import.meta.url);

/** The WebAssembly kernels with their one fixed memory, which belongs to one thread. */
class Kernels {
  readonly wasm: Exports;
  readonly memory: Uint8Array;
  /** Address of results of up to twice `block` bytes. */
  readonly output: number;
  /** Maximum number of bytes that `place` copies. */
  readonly block: number;
  readonly batchAt: Uint32Array;
  readonly batchLength: Uint32Array;
  readonly batchResult: BigUint64Array;
  readonly #input: number;
  readonly #slotSize: number;
  readonly #freeSlots: number[];
  /** Frees memory that was never given back, when its view is garbage-collected. */
  readonly #forgotten = new FinalizationRegistry((slot: number) => this.#freeSlots.push(slot));

  constructor(wasm: Exports) {
    this.wasm = wasm;
    const { buffer } = wasm.memory;
    const batch = wasm.BATCH.value;
    this.memory = new Uint8Array(buffer);
    this.output = wasm.OUTPUT.value;
    this.block = wasm.BLOCK.value;
    this.batchAt = new Uint32Array(buffer, wasm.BATCH_AT.value, batch);
    this.batchLength = new Uint32Array(buffer, wasm.BATCH_LENGTH.value, batch);
    this.batchResult = new BigUint64Array(buffer, wasm.BATCH_RESULT.value, batch);
    this.#input = wasm.INPUT.value;
    this.#slotSize = wasm.ARENA_SLOT.value;
    this.#freeSlots = Array.from(
      { length: wasm.ARENA_SLOTS.value },
      (_, i) => wasm.ARENA.value + i * this.#slotSize,
    ).reverse();
  }

  /** Whether bytes are in the kernels' memory, so that kernels need no copy. */
  holds(bytes: Uint8Array): boolean {
    return bytes.buffer === this.memory.buffer;
  }

  /**
   * The address of `bytes[at, at + length)`, which are copied into this memory unless they are there; −1 for too many.
   */
  place(bytes: Uint8Array, at: number, length: number): number {
    if (this.holds(bytes)) return bytes.byteOffset + at;
    return length > this.block ? -1 : this.stage(bytes, at, length, 0);
  }

  /** Copies bytes into the input area, after `staged` bytes that are there already; gives their address. */
  stage(bytes: Uint8Array, at: number, length: number, staged: number): number {
    const address = this.#input + staged;
    this.memory.set(bytes.subarray(at, at + length), address);
    return address;
  }

  lend(size: number): Uint8Array | undefined {
    if (size > this.#slotSize || this.#freeSlots.length === 0) return undefined;
    const slot = this.#freeSlots.pop() as number;
    const bytes = this.memory.subarray(slot, slot + size);
    this.#forgotten.register(bytes, slot, bytes);
    return bytes;
  }

  takeBack(bytes: Uint8Array): void {
    if (this.#forgotten.unregister(bytes)) this.#freeSlots.push(bytes.byteOffset);
  }
}

/**
 * Undefined, so that the plain twins do the work, if kernels are not built, the host is big-endian, a limit leaves no
 * addresses for their memory (`ulimit -v`), or `SAVKIT_NO_WASM=1` asks for plain TypeScript.
 */
export const kernels: Kernels | undefined = loadKernels();

/** The memory of WebAssembly is little-endian everywhere; views of batches in it have the order of the host. */
export function loadKernels(order = endianness()): Kernels | undefined {
  if (order !== 'LE' || process.env.SAVKIT_NO_WASM === '1' || !existsSync(FILE)) return undefined;
  try {
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(readFileSync(FILE)));
    return new Kernels(exports as Exports);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}
