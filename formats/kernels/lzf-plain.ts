/**
 * LZF blocks (spec: ssm-container.md 5). Plain TypeScript: the fallback for the WebAssembly kernel, and the reference
 * in its tests.
 *
 * Control byte c < 0x20: the next c + 1 bytes are literal. Otherwise a copy: length (c >> 5) + 2, with one more byte
 * added when c >> 5 is 7; distance ((c & 0x1F) << 8 | next byte) + 1; source and destination may overlap.
 */

/**
 * Expands `source[at, at + length)` to exactly `size` bytes at `target[to]`.
 * @returns false for an invalid block; `target` then holds rubbish in `[to, to + size)` and nowhere else
 */
export function lzfDecode(
  source: Uint8Array,
  at: number,
  length: number,
  target: Uint8Array,
  to: number,
  size: number,
): boolean {
  const end = at + length;
  const limit = to + size;
  let input = at;
  let output = to;
  while (input < end) {
    const control = source[input++];
    if (control < 0x20) {
      const stop = output + control + 1;
      if (stop > limit || input + control + 1 > end) return false;
      while (output < stop) target[output++] = source[input++];
      continue;
    }
    let count = (control >> 5) + 2;
    if (count === 9) {
      if (input >= end) return false;
      count += source[input++];
    }
    if (input >= end) return false;
    const distance = ((control & 0x1f) << 8) + source[input++] + 1;
    const stop = output + count;
    if (stop > limit || output - distance < to) return false;
    if (distance === 1 && count > 16) {
      target.fill(target[output - 1], output, stop);
      output = stop;
    } else if (distance >= count && count > 48) {
      target.copyWithin(output, output - distance, output - distance + count);
      output = stop;
    } else {
      let from = output - distance;
      while (output < stop) target[output++] = target[from++];
    }
  }
  return output === limit;
}

/** Whether `lzfDecode` would succeed: every rule checked, nothing written. */
export function lzfWalk(source: Uint8Array, at: number, length: number, size: number): boolean {
  const end = at + length;
  let input = at;
  let output = 0;
  while (input < end) {
    const control = source[input++];
    if (control < 0x20) {
      output += control + 1;
      input += control + 1;
      if (output > size) return false;
      continue;
    }
    let count = (control >> 5) + 2;
    if (count === 9) {
      if (input >= end) return false;
      count += source[input++];
    }
    if (input >= end) return false;
    if (((control & 0x1f) << 8) + source[input++] >= output) return false;
    output += count;
    if (output > size) return false;
  }
  return input === end && output === size;
}
