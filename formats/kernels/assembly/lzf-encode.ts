// LZF compression: the twin of lzf-encode-plain.ts, which explains the algorithm. Results are the same, byte for byte.

import { TABLE } from './memory';

const HASH_BITS: u32 = 13;
const TABLE_SIZE: usize = (1 << HASH_BITS) * 2;
const MULTIPLIER: u32 = 0x9e3779b1;
const MAX_DISTANCE: usize = 8192;
const MAX_MATCH: usize = 264;
const MIN_MATCH: usize = 4;
const MAX_LITERALS: usize = 32;
const MISSES_SHIFT: u32 = 5;

// @ts-ignore: decorators are AssemblyScript's
@inline
function slotOf(word: u32): usize {
  return TABLE + (((word * MULTIPLIER) >> (32 - HASH_BITS)) << 1);
}

/**
 * The highest position that the table may hold from earlier blocks. Positions continue from it, since clearing the
 * table for each page would take a tenth of the time.
 */
let past: usize = 0;

/**
 * Compresses `length` bytes at `at` to `to`; 0 where that would take more than `limit` bytes. Mispredicted branches
 * take most of the time, so one branch rejects all kinds of mismatches, and none depends on the lengths of literals and
 * tokens.
 */
export function lzfEncode(at: usize, length: usize, to: usize, limit: usize): usize {
  if (past + length > 0xffff) {
    memory.fill(TABLE, 0, TABLE_SIZE);
    past = 0;
  }
  /**
   * Positions are numbered from here on; the first one is `past + 1`, lower numbers are positions of earlier blocks.
   */
  const base = at - 1 - past;
  past += length;
  const end = at + length;
  const last = end - MIN_MATCH;
  const limitEnd = to + limit;
  let out = to;
  let literals = at;
  let i = at;
  let misses: u32 = 0;
  while (i <= last) {
    const word = load<u32>(i);
    const slot = slotOf(word);
    const ref = base + <usize>load<u16>(slot);
    store<u16>(slot, <u16>(i - base));
    if (<u32>(ref < at) | (load<u32>(ref) ^ word)) {
      i += 1 + <usize>(misses++ >> MISSES_SHIFT);
      continue;
    }
    if (i - ref > MAX_DISTANCE) {
      i++;
      continue;
    }
    const run = i - literals;
    if (out + run + ((run + MAX_LITERALS - 1) >> 5) + 3 > limitEnd) return 0;
    if (run <= MAX_LITERALS && out + 1 + MAX_LITERALS <= limitEnd) {
      store<u8>(out, <u8>(run - 1));
      v128.store(out, v128.load(literals), 1);
      v128.store(out, v128.load(literals, 16), 17);
      out += run + <usize>(run !== 0);
    } else out = putLiterals(literals, i, out, limitEnd);
    const count = matchLength(ref, i, min(MAX_MATCH, end - i));
    const distance = <u32>(i - ref - 1);
    const isLong = count >= 9;
    store<u8>(out, (<u8>(min<usize>(count, 9) - 2) << 5) | <u8>(distance >> 8));
    store<u8>(out, <u8>(count - 9), 1);
    store<u8>(out + <usize>isLong, <u8>distance, 1);
    out += 2 + <usize>isLong;
    i += count;
    literals = i;
    misses = 0;
    if (i > last) break;
    store<u16>(slotOf(load<u32>(i - 2)), <u16>(i - 2 - base));
    store<u16>(slotOf(load<u32>(i - 1)), <u16>(i - 1 - base));
  }
  const rest = end - literals;
  if (out + rest + ((rest + MAX_LITERALS - 1) >> 5) > limitEnd) return 0;
  return putLiterals(literals, end, out, limitEnd) - to;
}

/** Number of equal bytes at `ref` and `at`, at most `max`; the first four are known to be equal. */
// @ts-ignore: decorators are AssemblyScript's
@inline
function matchLength(ref: usize, at: usize, max: usize): usize {
  let count = MIN_MATCH;
  while (count + 8 <= max) {
    const difference = load<u64>(ref + count) ^ load<u64>(at + count);
    if (difference !== 0) return count + <usize>(ctz(difference) >> 3);
    count += 8;
  }
  while (count < max && load<u8>(ref + count) === load<u8>(at + count)) count++;
  return count;
}

function putLiterals(from: usize, end: usize, to: usize, limitEnd: usize): usize {
  let out = to;
  let i = from;
  while (i < end) {
    const count = min(MAX_LITERALS, end - i);
    store<u8>(out++, <u8>(count - 1));
    if (out + MAX_LITERALS <= limitEnd) {
      v128.store(out, v128.load(i));
      v128.store(out, v128.load(i, 16), 16);
    } else {
      for (let k: usize = 0; k < count; k++) store<u8>(out + k, load<u8>(i + k));
    }
    out += count;
    i += count;
  }
  return out;
}
