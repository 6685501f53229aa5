import { PAGE_SIZE } from '../../formats/units.ts';

// What changed in a page, in 4-byte words: runs of (skip u16, length u16, so many words); what follows the last run is unchanged.

export const PAGE_WORDS = PAGE_SIZE / 4;
/** Bytes above which a delta saves too little to be worth its time. */
export const DELTA_LIMIT = (PAGE_SIZE * 3) / 4;

/**
 * Writes what turns `old[oldAt…]` into `now[nowAt…]`, indexes in words.
 * @returns words written at `out[0…]`, −1 where that is more than `DELTA_LIMIT` bytes
 */
export function encodeDelta(old: Uint32Array, oldAt: number, now: Uint32Array, nowAt: number, out: Uint32Array): number {
  let size = 0;
  for (let at = 0; at < PAGE_WORDS; ) {
    const from = at;
    while (at < PAGE_WORDS && old[oldAt + at] === now[nowAt + at]) at++;
    if (at === PAGE_WORDS) break;
    const start = at;
    // A single equal word between two changes costs as much as a new run.
    while (at < PAGE_WORDS && (old[oldAt + at] !== now[nowAt + at] || (at + 1 < PAGE_WORDS && old[oldAt + at + 1] !== now[nowAt + at + 1]))) at++;
    const length = at - start;
    if ((size + 1 + length) * 4 > DELTA_LIMIT) return -1;
    out[size++] = ((start - from) | (length << 16)) >>> 0;
    for (let i = 0; i < length; i++) out[size++] = now[nowAt + start + i];
  }
  return size;
}

/** Applies a delta to `page[0, 4096)`. @returns false for one that is none; the page is spoilt then */
export function applyDelta(page: DataView, delta: DataView, deltaAt: number, length: number): boolean {
  if (length % 4 !== 0) return false;
  const end = deltaAt + length;
  let to = 0;
  for (let at = deltaAt; at < end; ) {
    to += delta.getUint16(at, true) * 4;
    const run = delta.getUint16(at + 2, true) * 4;
    at += 4;
    if (run === 0 || run > end - at || to + run > PAGE_SIZE) return false;
    for (const stop = at + run; at < stop; at += 4, to += 4) page.setUint32(to, delta.getUint32(at, true), true);
  }
  return true;
}
