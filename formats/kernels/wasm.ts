import { existsSync, readFileSync } from 'node:fs';

// The part of the WebAssembly interface that is used here; TypeScript declares it with those of browsers only.
declare const WebAssembly: {
  Module: new (bytes: Uint8Array) => object;
  Instance: new (module: object) => { exports: unknown };
};

/** What kernels.wasm exports; assembly/lzf.ts says what each does. */
export interface WasmKernels {
  memory: { buffer: ArrayBuffer };
  INPUT: { value: number };
  OUTPUT: { value: number };
  decode(length: number, size: number): number;
  walk(length: number, size: number): number;
  encode(length: number, limit: number): number;
}

/** Where the build puts it: beside this file. */
const FILE = new URL('./kernels.wasm', import.meta.url);

/** The kernels as WebAssembly; undefined where they are not built, or `SAVKIT_NO_WASM=1` asks for plain TypeScript. */
export function loadKernels(): WasmKernels | undefined {
  if (process.env.SAVKIT_NO_WASM === '1' || !existsSync(FILE)) return undefined;
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(readFileSync(FILE)));
  return exports as WasmKernels;
}
