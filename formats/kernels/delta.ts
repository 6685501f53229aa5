import { PAGE_SIZE } from '../sizes.ts';
import { applyWordDeltaPlain, wordDeltaPlain } from './delta-plain.ts';
import { kernels } from './wasm.ts';

/** 64 bytes of bitmap, and every word. */
const LONGEST_DELTA = 64 + PAGE_SIZE;

/**
 * Writes to `target[to, …)` the delta that turns the page at `base[baseAt]` into the page at `page[at]` (its form:
 * delta-plain.ts): 64 bytes, and 8 for each word that differs.
 * @returns number of bytes written, 0 if the delta exceeds `limit`; the target then holds rubbish within its limit
 */
export function wordDelta(
  base: Uint8Array,
  baseAt: number,
  page: Uint8Array,
  at: number,
  target: Uint8Array,
  to: number,
  limit: number,
): number {
  if (!kernels) return wordDeltaPlain(base, baseAt, page, at, target, to, limit);
  const { wasm, memory, output } = kernels;
  const from = kernels.holds(base) ? base.byteOffset + baseAt : kernels.stage(base, baseAt, PAGE_SIZE, 0);
  const now = kernels.holds(page) ? page.byteOffset + at : kernels.stage(page, at, PAGE_SIZE, PAGE_SIZE);
  if (kernels.holds(target)) return wasm.wordDelta(from, now, target.byteOffset + to, limit);
  const length = wasm.wordDelta(from, now, output, Math.min(limit, LONGEST_DELTA));
  if (length > 0) target.set(memory.subarray(output, output + length), to);
  return length;
}

/**
 * Turns the page at `page[to]`, which must be the delta's base, into the page that the delta was made for.
 * @returns false, and nothing written, for a delta whose length does not fit its bitmap
 */
export function applyWordDelta(delta: Uint8Array, at: number, length: number, page: Uint8Array, to: number): boolean {
  if (!kernels || length > LONGEST_DELTA) return applyWordDeltaPlain(delta, at, length, page, to);
  const { wasm, memory, output } = kernels;
  const from = kernels.place(delta, at, length);
  if (kernels.holds(page)) return wasm.applyWordDelta(from, length, page.byteOffset + to) !== 0;
  memory.set(page.subarray(to, to + PAGE_SIZE), output);
  const isGood = wasm.applyWordDelta(from, length, output) !== 0;
  if (isGood) page.set(memory.subarray(output, output + PAGE_SIZE), to);
  return isGood;
}
