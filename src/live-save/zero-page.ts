import { PAGE_SIZE } from '../../formats/units.ts';

const ZEROS = Buffer.alloc(PAGE_SIZE);

/** Whether the page at `bytes[at]` holds nothing but zeros. */
export function isZeroPage(bytes: Uint8Array, at: number): boolean {
  return bytes[at] === 0 && bytes[at + PAGE_SIZE - 1] === 0 && ZEROS.compare(bytes, at, at + PAGE_SIZE) === 0;
}
