import { kernels } from './wasm.ts';

/**
 * A buffer for bytes that kernels will work on: in the kernels' own memory while there is room, so that nothing has to
 * be copied; else outside. It may hold old bytes.
 */
export function takeBuffer(size: number): Uint8Array {
  // Not zeroed on purpose: that would take longer than reading a small file through the buffer.
  return kernels?.lend(size) ?? new Uint8Array(Buffer.allocUnsafeSlow(size).buffer);
}

/** Copies `source[at, at + length)` to `target[to, …)`, without making views where both are in the kernels' memory. */
export function copyBytes(source: Uint8Array, at: number, length: number, target: Uint8Array, to: number): void {
  if (kernels?.holds(source) && kernels.holds(target)) {
    const from = source.byteOffset + at;
    kernels.memory.copyWithin(target.byteOffset + to, from, from + length);
  } else {
    target.set(source.subarray(at, at + length), to);
  }
}

/**
 * Gives a buffer back; neither it nor a part of it may be used afterwards. A buffer that was not given back is free
 * again once it is garbage-collected.
 */
export function returnBuffer(bytes: Uint8Array): void {
  kernels?.takeBack(bytes);
}
