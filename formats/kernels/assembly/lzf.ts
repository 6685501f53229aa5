// LZF: the twins of lzf-plain.ts and lzf-encode-plain.ts, which say what it does. Results are the same, byte for byte.
//
// Copies go in steps of 8 bytes and may read behind the block, but write only where the result belongs.

import { TABLE } from './memory';

const HASH_BITS: u32 = 13;
const TABLE_SIZE: usize = (1 << HASH_BITS) * 2;
const MULTIPLIER: u32 = 0x9e3779b1;
const MAX_DISTANCE: usize = 8192;
const MAX_MATCH: usize = 264;
const MAX_LITERALS: usize = 32;
const MISSES_PER_STEP: u32 = 5;

/** Expands `length` bytes at `at` to exactly `size` bytes at `to`. */
export function lzfDecode(at: usize, length: usize, to: usize, size: usize): bool {
  const end = at + length;
  const limit = to + size;
  let input = at;
  let output = to;
  while (input < end) {
    const control = <usize>load<u8>(input++);
    if (control < 0x20) {
      const count = control + 1;
      const stop = output + count;
      if (stop > limit || input + count > end) return false;
      if (output + MAX_LITERALS <= limit) {
        store<u64>(output, load<u64>(input));
        if (count > 8) {
          store<u64>(output, load<u64>(input, 8), 8);
          store<u64>(output, load<u64>(input, 16), 16);
          store<u64>(output, load<u64>(input, 24), 24);
        }
        output = stop;
        input += count;
      } else {
        while (output < stop) store<u8>(output++, load<u8>(input++));
      }
      continue;
    }
    let count = (control >> 5) + 2;
    if (count === 9) {
      if (input >= end) return false;
      count += <usize>load<u8>(input++);
    }
    if (input >= end) return false;
    const distance = ((control & 0x1f) << 8) + <usize>load<u8>(input++) + 1;
    const stop = output + count;
    if (stop > limit || output - distance < to) return false;
    let from = output - distance;
    if (distance >= 8 && stop + 8 <= limit) {
      store<u64>(output, load<u64>(from));
      output += 8;
      while (output < stop) {
        from += 8;
        store<u64>(output, load<u64>(from));
        output += 8;
      }
      output = stop;
    } else if (distance === 1) {
      memory.fill(output, load<u8>(from), count);
      output = stop;
    } else {
      while (output < stop) store<u8>(output++, load<u8>(from++));
    }
  }
  return output === limit;
}

/** Whether `lzfDecode` would succeed. */
export function lzfWalk(at: usize, length: usize, size: usize): bool {
  const end = at + length;
  let input = at;
  let output: usize = 0;
  while (input < end) {
    const control = <usize>load<u8>(input++);
    if (control < 0x20) {
      output += control + 1;
      input += control + 1;
      if (output > size) return false;
      continue;
    }
    let count = (control >> 5) + 2;
    if (count === 9) {
      if (input >= end) return false;
      count += <usize>load<u8>(input++);
    }
    if (input >= end) return false;
    if (((control & 0x1f) << 8) + <usize>load<u8>(input++) >= output) return false;
    output += count;
    if (output > size) return false;
  }
  return input === end && output === size;
}

// @ts-ignore: decorators are AssemblyScript's
@inline
function slotOf(at: usize): usize {
  return TABLE + ((((load<u32>(at) & 0xffffff) * MULTIPLIER) >> (32 - HASH_BITS)) << 1);
}

/** Compresses `length` bytes at `at` to `to`; 0 where that would take more than `limit` bytes. */
export function lzfEncode(at: usize, length: usize, to: usize, limit: usize): usize {
  memory.fill(TABLE, 0, TABLE_SIZE);
  const base = at - 1;
  const end = at + length;
  const limitEnd = to + limit;
  let out = to;
  let literals = at;
  let i = at;
  let misses: u32 = 0;
  while (i + 3 <= end) {
    const slot = slotOf(i);
    const ref = base + <usize>load<u16>(slot);
    store<u16>(slot, <u16>(i - base));
    if (ref < at || ((load<u32>(ref) ^ load<u32>(i)) & 0xffffff) !== 0 || i - ref > MAX_DISTANCE) {
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
    store<u16>(slotOf(i - 2), <u16>(i - 2 - base));
    store<u16>(slotOf(i - 1), <u16>(i - 1 - base));
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
