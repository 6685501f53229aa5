import { PAGE_SIZE } from '../sizes.ts';

/**
 * Word deltas, which turn one page into another: 64 bytes of bitmap (bit `i & 7` of byte `i >> 3` for word `i`, of 8
 * bytes), then the new values of all words that differ, ascending. In plain TypeScript, as fallback and oracle of the
 * kernel.
 */

const WORD = 8;
const BITMAP = PAGE_SIZE / WORD / 8;

export function wordDeltaPlain(
  base: Uint8Array,
  baseAt: number,
  page: Uint8Array,
  at: number,
  target: Uint8Array,
  to: number,
  limit: number,
): number {
  if (limit < BITMAP) return 0;
  let out = to + BITMAP;
  target.fill(0, to, out);
  for (let i = 0; i < PAGE_SIZE; i += WORD) {
    if (equalWords(base, baseAt + i, page, at + i)) continue;
    if (out + WORD > to + limit) return 0;
    for (let k = 0; k < WORD; k++) target[out++] = page[at + i + k];
    target[to + (i >> 6)] |= 1 << ((i >> 3) & 7);
  }
  return out - to;
}

export function applyWordDeltaPlain(
  delta: Uint8Array,
  at: number,
  length: number,
  page: Uint8Array,
  to: number,
): boolean {
  if (length < BITMAP) return false;
  let changed = 0;
  for (let i = 0; i < PAGE_SIZE / WORD; i++) changed += bitOf(delta, at, i);
  if (length !== BITMAP + changed * WORD) return false;
  let from = at + BITMAP;
  for (let i = 0; i < PAGE_SIZE / WORD; i++) {
    if (bitOf(delta, at, i) === 0) continue;
    for (let k = 0; k < WORD; k++) page[to + i * WORD + k] = delta[from++];
  }
  return true;
}

function equalWords(a: Uint8Array, atA: number, b: Uint8Array, atB: number): boolean {
  for (let k = 0; k < WORD; k++) if (a[atA + k] !== b[atB + k]) return false;
  return true;
}

function bitOf(delta: Uint8Array, at: number, word: number): number {
  return (delta[at + (word >> 3)] >> (word & 7)) & 1;
}
