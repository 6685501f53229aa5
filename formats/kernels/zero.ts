import { PAGE_SIZE } from '../sizes.ts';
import { kernels } from './wasm.ts';

const ZEROS = Buffer.alloc(PAGE_SIZE);

/** Whether `bytes[at, at + length)` are all zero. */
export function isZero(bytes: Uint8Array, at = 0, length = bytes.length - at): boolean {
  if (length === 0) return true;
  // Most pages with content differ in their first byte.
  if (bytes[at] !== 0) return false;
  if (kernels?.holds(bytes)) return kernels.wasm.isZero(bytes.byteOffset + at, length) !== 0;
  for (let done = 0; done < length; done += ZEROS.length) {
    const part = Math.min(ZEROS.length, length - done);
    if (ZEROS.compare(bytes, at + done, at + done + part, 0, part) !== 0) return false;
  }
  return true;
}
