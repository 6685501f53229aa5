// LZF: the twins of lzf-plain.ts and lzf-encode-plain.ts, which say what it does. Results are the same, byte for byte.
//
// Copies go in steps of 8 bytes and may read behind the block, but write only where the result belongs.

import { BATCH_AT, BATCH_LENGTH, TABLE } from './memory';

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

/**
 * Whether `lzfDecode` would succeed. Literals and copies come in no order that a processor could guess, so one computation does for all: `copy` and
 * `long` are all ones for a copy, and for one whose length has a byte of its own. Bytes behind the block are read, but nothing depends on them.
 */
export function lzfWalk(at: usize, length: usize, size: usize): bool {
  return walkRest(at, at + length, 0, size);
}

/**
 * Whether `lzfWalk` would succeed for each block of the batch. Two of them take turns: what comes next in a block depends on what came before, so one
 * alone keeps a processor waiting.
 */
export function lzfWalkBatch(count: usize, size: usize): bool {
  let next: usize = 0;
  let input: usize = 0;
  let end: usize = 0;
  let output = <i32>size;
  let input2: usize = 0;
  let end2: usize = 0;
  let output2 = <i32>size;
  let bad: i32 = 0;
  for (;;) {
    while (input < end && input2 < end2) {
      const control = <i32>load<u8>(input);
      const control2 = <i32>load<u8>(input2);
      const copy = (0x1f - control) >> 31;
      const copy2 = (0x1f - control2) >> 31;
      const long = (0xdf - control) >> 31;
      const long2 = (0xdf - control2) >> 31;
      bad |= beyond(input, control, copy, long, output) | beyond(input2, control2, copy2, long2, output2);
      output += expanded(input, control, copy, long);
      output2 += expanded(input2, control2, copy2, long2);
      input += taken(control, copy, long);
      input2 += taken(control2, copy2, long2);
    }
    if (input >= end) {
      if (bad < 0 || input !== end || output !== <i32>size) return false;
      if (next === count) return input2 >= end2 ? input2 === end2 && output2 === <i32>size : walkRest(input2, end2, output2, size);
      input = <usize>load<u32>(BATCH_AT + (next << 2));
      end = input + <usize>load<u32>(BATCH_LENGTH + (next << 2));
      output = 0;
    } else {
      if (bad < 0 || input2 !== end2 || output2 !== <i32>size) return false;
      if (next === count) return walkRest(input, end, output, size);
      input2 = <usize>load<u32>(BATCH_AT + (next << 2));
      end2 = input2 + <usize>load<u32>(BATCH_LENGTH + (next << 2));
      output2 = 0;
    }
    next++;
  }
  // AssemblyScript wants it.
  return false;
}

/** The same for a block of which `output` bytes have been expanded. */
function walkRest(at: usize, end: usize, done: i32, size: usize): bool {
  let input = at;
  let output = done;
  let bad: i32 = 0;
  while (input < end) {
    const control = <i32>load<u8>(input);
    const copy = (0x1f - control) >> 31;
    const long = (0xdf - control) >> 31;
    bad |= beyond(input, control, copy, long, output);
    output += expanded(input, control, copy, long);
    input += taken(control, copy, long);
  }
  return bad >= 0 && input === end && output === <i32>size;
}

/** Negative where a copy's distance goes beyond the start. */
// @ts-ignore: decorators are AssemblyScript's
@inline
function beyond(input: usize, control: i32, copy: i32, long: i32, output: i32): i32 {
  return output - (copy & (((control & 0x1f) << 8) + <i32>load<u8>(input + <usize>(long & 1), 1) + 1));
}

/** Bytes that a token gives. */
// @ts-ignore: decorators are AssemblyScript's
@inline
function expanded(input: usize, control: i32, copy: i32, long: i32): i32 {
  return control + 1 + (copy & ((control >> 5) + 1 - control)) + (long & <i32>load<u8>(input, 1));
}

/** Bytes that a token takes. */
// @ts-ignore: decorators are AssemblyScript's
@inline
function taken(control: i32, copy: i32, long: i32): usize {
  return <usize>(control + 2 - (copy & control) - long);
}

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
