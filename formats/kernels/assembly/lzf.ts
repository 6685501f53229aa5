// LZF decompression: the twin of lzf-plain.ts, which explains the algorithm. Results are the same, byte for byte.
//
// Copies go in steps of 8 bytes and may read past the block, but write only within the result. Whether literals precede
// a copy is unpredictable for a processor's branch predictor. So each step handles both, with perhaps no literals, and
// masks replace branches: `run` is all ones where a token is a run of literals, `long` where a copy's length has a byte
// of its own. Bytes after the block may be taken for tokens; `input` is then beyond `end`, which `decodeRest` refuses.

import { BATCH_AT, BATCH_LENGTH } from './memory';

/** Bytes that a step of the decoder copies without looking. */
const COPY: i32 = 32;
const MAX_LITERALS: i32 = 32;

/** Expands `length` bytes at `at` to exactly `size` bytes at `to`. */
export function lzfDecode(at: usize, length: usize, to: usize, size: usize): bool {
  const start = <i32>to;
  const limit = <i32>(to + size);
  const end = <i32>(at + length);
  const lastStep = limit - MAX_LITERALS - COPY;
  let input = <i32>at;
  let output = start;
  while (input < end && output <= lastStep) {
    const first = <i32>load<u8>(input);
    const run = runMask(first);
    const literals = (first + 1) & run;
    store<u64>(output, load<u64>(input, 1));
    if (literals > 8) {
      store<u64>(output, load<u64>(input, 9), 8);
      store<u64>(output, load<u64>(input, 17), 16);
      store<u64>(output, load<u64>(input, 25), 24);
    }
    input += literals - run;
    output += literals;
    const control = <i32>load<u8>(input);
    if (control < 0x20 || input >= end) continue;
    const long = longMask(control);
    const count = copied(input, control, long);
    const from = output - distanceOf(input, control, long);
    if (((from - start) | (output - 8 - from) | (COPY - count)) < 0) {
      if (from < start || output + count > limit) return false;
      copyWithin(from, output, output + count, limit);
    } else {
      store<u64>(output, load<u64>(from));
      store<u64>(output, load<u64>(from, 8), 8);
      store<u64>(output, load<u64>(from, 16), 16);
      store<u64>(output, load<u64>(from, 24), 24);
    }
    input += 2 - long;
    output += count;
  }
  return decodeRest(input, end, output, limit, start);
}

/** Decodes token by token up to the last byte of the block and of the result. */
function decodeRest(input: i32, end: i32, output: i32, limit: i32, start: i32): bool {
  while (input < end) {
    const control = <i32>load<u8>(input);
    if (control < 0x20) {
      const stop = output + control + 1;
      if (stop > limit) return false;
      copy(input + 1, output, stop, limit);
      input += control + 2;
      output = stop;
    } else {
      const long = longMask(control);
      const from = output - distanceOf(input, control, long);
      const stop = output + copied(input, control, long);
      if (from < start || stop > limit) return false;
      copyWithin(from, output, stop, limit);
      input += 2 - long;
      output = stop;
    }
  }
  return input === end && output === limit;
}

/** Copies bytes that do not overlap, or at a distance of at least 8. */
// @ts-ignore: decorators are AssemblyScript's
@inline
function copy(from: i32, output: i32, stop: i32, limit: i32): void {
  for (; output < stop && output + 8 <= limit; output += 8, from += 8) store<u64>(output, load<u64>(from));
  while (output < stop) store<u8>(output++, load<u8>(from++));
}

/**
 * By distance below 8: the factor that repeats that many bytes to fill a word, and the number of bytes in whole
 * repetitions.
 */
const REPEAT = memory.data<u64>([
  0, 0x0101010101010101, 0x0001000100010001, 0x0001000001000001,
  0x0000000100000001, 0x0000010000000001, 0x0001000000000001, 0x0100000000000001,
]);
const REPEATED = memory.data<u8>([0, 8, 8, 6, 8, 5, 6, 7]);

/** Copies bytes of the result; bytes that overlap the target repeat. */
// @ts-ignore: decorators are AssemblyScript's
@inline
function copyWithin(from: i32, output: i32, stop: i32, limit: i32): void {
  const distance = output - from;
  if (distance >= 8) {
    copy(from, output, stop, limit);
    return;
  }
  const word = (load<u64>(from) & ((<u64>1 << (distance << 3)) - 1)) * load<u64>(REPEAT + (distance << 3));
  const step = <i32>load<u8>(REPEATED + distance);
  for (; output < stop && output + 8 <= limit; output += step) store<u64>(output, word);
  for (; output < stop; output++) store<u8>(output, load<u8>(output - distance));
}

/** Whether `lzfDecode` would succeed. */
export function lzfWalk(at: usize, length: usize, size: usize): bool {
  return walkRest(<i32>at, <i32>(at + length), 0, <i32>size);
}

/**
 * Whether `lzfWalk` would succeed for each block of the batch. Two blocks take turns: each step in a block depends on
 * the one before, so a single block would keep the processor waiting.
 */
export function lzfWalkBatch(count: usize, size: i32): bool {
  let next: usize = 0;
  let input = 0;
  let end = 0;
  let output = size;
  let input2 = 0;
  let end2 = 0;
  let output2 = size;
  let bad = 0;
  for (;;) {
    while (input < end && input2 < end2) {
      const first = <i32>load<u8>(input);
      const first2 = <i32>load<u8>(input2);
      const run = runMask(first);
      const run2 = runMask(first2);
      input += (first + 2) & run;
      input2 += (first2 + 2) & run2;
      output += (first + 1) & run;
      output2 += (first2 + 1) & run2;
      const control = <i32>load<u8>(input);
      const control2 = <i32>load<u8>(input2);
      if (control >= 0x20 && input < end) {
        const long = longMask(control);
        bad |= output - distanceOf(input, control, long);
        output += copied(input, control, long);
        input += 2 - long;
      }
      if (control2 >= 0x20 && input2 < end2) {
        const long2 = longMask(control2);
        bad |= output2 - distanceOf(input2, control2, long2);
        output2 += copied(input2, control2, long2);
        input2 += 2 - long2;
      }
    }
    if (bad < 0) return false;
    if (input >= end) {
      if (input !== end || output !== size) return false;
      if (next === count) return walkRest(input2, end2, output2, size);
      input = <i32>load<u32>(BATCH_AT + (next << 2));
      end = input + <i32>load<u32>(BATCH_LENGTH + (next << 2));
      output = 0;
    } else {
      if (input2 !== end2 || output2 !== size) return false;
      if (next === count) return walkRest(input, end, output, size);
      input2 = <i32>load<u32>(BATCH_AT + (next << 2));
      end2 = input2 + <i32>load<u32>(BATCH_LENGTH + (next << 2));
      output2 = 0;
    }
    next++;
  }
  // Never reached; AssemblyScript demands a value.
  return false;
}

/** Walks the rest of a block of which `output` bytes have been expanded. */
function walkRest(input: i32, end: i32, output: i32, size: i32): bool {
  let bad = 0;
  while (input < end) {
    const first = <i32>load<u8>(input);
    const run = runMask(first);
    input += (first + 2) & run;
    output += (first + 1) & run;
    const control = <i32>load<u8>(input);
    if (control < 0x20 || input >= end) continue;
    const long = longMask(control);
    bad |= output - distanceOf(input, control, long);
    output += copied(input, control, long);
    input += 2 - long;
  }
  return bad >= 0 && input === end && output === size;
}

// @ts-ignore: decorators are AssemblyScript's
@inline
function runMask(control: i32): i32 {
  return (control - 0x20) >> 31;
}

// @ts-ignore: decorators are AssemblyScript's
@inline
function longMask(control: i32): i32 {
  return (0xdf - control) >> 31;
}

/** Number of bytes that a copy produces. */
// @ts-ignore: decorators are AssemblyScript's
@inline
function copied(input: i32, control: i32, long: i32): i32 {
  return (control >> 5) + 2 + (long & <i32>load<u8>(input, 1));
}

// @ts-ignore: decorators are AssemblyScript's
@inline
function distanceOf(input: i32, control: i32, long: i32): i32 {
  return ((control & 0x1f) << 8) + <i32>load<u8>(input - long, 1) + 1;
}
