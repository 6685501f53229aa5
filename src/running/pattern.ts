import { swapWords } from '../../formats/binary/byte-order.ts';
import { TWO_32 } from '../../formats/sizes.ts';

/** Bytes at the start of a pattern, which name its step and place; a pattern is no shorter. */
export const PATTERN_HEAD = 16;

/** Mixes two 32-bit values into one. Source: the finaliser of MurmurHash3. */
export function mix(a: number, b: number): number {
  let h = Math.imul(a ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(b + 0x7f4a7c15, 0xc2b2ae35);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/**
 * Fills `words` with the little-endian words that step `step` of a workload writes to its place number `place`: step
 * (two words), place, and then words that depend on all of it and the seed. So a single word that is wrong, old, or of
 * another place is noticed.
 */
export function fillPattern(words: Uint32Array, seed: number, place: number, step: number): void {
  const low = step >>> 0;
  const high = Math.floor(step / TWO_32);
  words[0] = low;
  words[1] = high;
  words[2] = place;
  let value = mix(mix(seed, place), mix(low, high)) | 1;
  for (let i = 3; i < words.length; i++) {
    words[i] = value;
    // xorshift32 makes 0 only of 0.
    value ^= value << 13;
    value ^= value >>> 17;
    value ^= value << 5;
  }
  swapWords(new Uint8Array(words.buffer, words.byteOffset, words.byteLength));
}
