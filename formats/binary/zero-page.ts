import { PAGE_SIZE } from '../units.ts';

const ZEROS = Buffer.alloc(PAGE_SIZE);

/** Whether the 4096 bytes from `at` on are all zero. */
export function isZeroPage(bytes: Uint8Array, at = 0): boolean {
  return bytes[at] === 0 && ZEROS.compare(bytes, at, at + PAGE_SIZE) === 0;
}
