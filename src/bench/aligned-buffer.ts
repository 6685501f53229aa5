// The part of the WebAssembly interface that is used here; TypeScript declares it with those of browsers only.
declare const WebAssembly: { Memory: new (options: { initial: number }) => { buffer: ArrayBuffer } };

/** Bytes of a page of WebAssembly's memory. */
const WASM_PAGE = 64 * 1024;

/**
 * A buffer at the start of a page of the host, like the memory of WebAssembly. Some processors copy five times slower
 * to places 1 to 31 bytes after the source's place in a page, and large Buffers lie 16 bytes after the start of one. A
 * reference that reads into such a buffer flatters everything measured against it.
 */
export function alignedBuffer(size: number): Uint8Array {
  return new Uint8Array(new WebAssembly.Memory({ initial: Math.ceil(size / WASM_PAGE) }).buffer, 0, size);
}
