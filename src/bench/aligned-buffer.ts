// The part of the WebAssembly interface that is used here; TypeScript declares it with those of browsers only.
declare const WebAssembly: { Memory: new (options: { initial: number }) => { buffer: ArrayBuffer } };

/** Of the memory of WebAssembly. */
const WASM_PAGE = 64 * 1024;

/**
 * A buffer that starts where a page of the host does, as the memory of WebAssembly begins. Some processors copy five
 * times slower to places that lie 1 to 31 bytes after the source in a page, and large Buffers lie 16 bytes after the
 * start of one: a reference that reads into these flatters all that is measured against it.
 */
export function alignedBuffer(size: number): Uint8Array {
  return new Uint8Array(new WebAssembly.Memory({ initial: Math.ceil(size / WASM_PAGE) }).buffer, 0, size);
}
