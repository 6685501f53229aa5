// LZF compression: the twin of lzf-encode-plain.ts, which says what it does. Results are the same, byte for byte.

import { TABLE } from './memory';

const HASH_BITS: u32 = 13;
const TABLE_SIZE: usize = (1 << HASH_BITS) * 2;
const MULTIPLIER: u32 = 0x9e3779b1;
const MAX_DISTANCE: usize = 8192;
const MAX_MATCH: usize = 264;
const MAX_LITERALS: usize = 32;
const MISSES_PER_STEP: u32 = 5;

// @ts-ignore: decorators are AssemblyScript's
@inline
function slotOf(word: u32): usize {
  return TABLE + (((word * MULTIPLIER) >> (32 - HASH_BITS)) << 1);
}

// @ts-ignore: decorators are AssemblyScript's
@inline
function threeBytes(at: usize): u32 {
  return load<u32>(at) & 0xffffff;
}

/** The highest number that the table may hold: of a position in a block before. Clearing the table for each page would take a tenth of the time. */
let past: usize = 0;

/** Compresses `length` bytes at `at` to `to`; 0 where that would take more than `limit` bytes. */
export function lzfEncode(at: usize, length: usize, to: usize, limit: usize): usize {
  if (past + length > 0xffff) {
    memory.fill(TABLE, 0, TABLE_SIZE);
    past = 0;
  }
  /** Positions are numbered from here on; the first one is `past + 1`. */
  const base = at - 1 - past;
  const oldest = past;
  past += length;
  const end = at + length;
  const limitEnd = to + limit;
  let out = to;
  let literals = at;
  let i = at;
  let misses: u32 = 0;
  while (i + 3 <= end) {
    const word = threeBytes(i);
    const slot = slotOf(word);
    const entry = <usize>load<u16>(slot);
    const ref = base + entry;
    store<u16>(slot, <u16>(i - base));
    if (entry <= oldest || threeBytes(ref) !== word || i - ref > MAX_DISTANCE) {
      i += 1 + <usize>(misses++ >> MISSES_PER_STEP);
      continue;
    }
    const run = i - literals;
    if (out + run + ((run + MAX_LITERALS - 1) >> 5) + 3 > limitEnd) return 0;
    out = putLiterals(literals, i, out, limitEnd);
    const max = min(MAX_MATCH, end - i);
    const count = matchLength(ref, i, max);
    const distance = i - ref - 1;
    if (count < 9) {
      store<u8>(out++, <u8>(((count - 2) << 5) | (distance >> 8)));
    } else {
      store<u8>(out++, <u8>(0xe0 | (distance >> 8)));
      store<u8>(out++, <u8>(count - 9));
    }
    store<u8>(out++, <u8>distance);
    i += count;
    literals = i;
    misses = 0;
    if (i + 3 > end) break;
    store<u16>(slotOf(threeBytes(i - 2)), <u16>(i - 2 - base));
    store<u16>(slotOf(threeBytes(i - 1)), <u16>(i - 1 - base));
  }
  const rest = end - literals;
  if (out + rest + ((rest + MAX_LITERALS - 1) >> 5) > limitEnd) return 0;
  return putLiterals(literals, end, out, limitEnd) - to;
}

/** Equal bytes at `ref` and `at`, of which three are known to be, at most `max`. */
function matchLength(ref: usize, at: usize, max: usize): usize {
  let count: usize = 3;
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
      store<u64>(out, load<u64>(i));
      if (count > 8) {
        store<u64>(out, load<u64>(i, 8), 8);
        store<u64>(out, load<u64>(i, 16), 16);
        store<u64>(out, load<u64>(i, 24), 24);
      }
    } else {
      for (let k: usize = 0; k < count; k++) store<u8>(out + k, load<u8>(i + k));
    }
    out += count;
    i += count;
  }
  return out;
}
