// Word deltas of pages: the twin of delta-plain.ts, which describes their form.

const WORDS: usize = 512;
const BITMAP: usize = 64;

/**
 * Writes the delta between the pages at `base` and `page` to `to`; gives 0 if it would take more than `limit` bytes.
 */
export function wordDelta(base: usize, page: usize, to: usize, limit: usize): usize {
  if (limit < BITMAP) return 0;
  const limitEnd = to + limit;
  let out = to + BITMAP;
  for (let group: usize = 0; group < BITMAP; group++) {
    let bits: u32 = 0;
    for (let bit: u32 = 0; bit < 8; bit++) {
      const at = (group << 6) + (<usize>bit << 3);
      const word = load<u64>(page + at);
      if (word === load<u64>(base + at)) continue;
      if (out + 8 > limitEnd) return 0;
      store<u64>(out, word);
      out += 8;
      bits |= 1 << bit;
    }
    store<u8>(to + group, <u8>bits);
  }
  return out - to;
}

/**
 * Turns the page at `page` into the page that the delta was made for; false, and nothing written, where its length does
 * not fit its bitmap.
 */
export function applyWordDelta(delta: usize, length: usize, page: usize): bool {
  if (length < BITMAP) return false;
  let changed: usize = 0;
  for (let i: usize = 0; i < BITMAP; i += 8) changed += <usize>popcnt(load<u64>(delta + i));
  if (length !== BITMAP + changed * 8) return false;
  let from = delta + BITMAP;
  for (let i: usize = 0; i < WORDS; i++) {
    if (((load<u8>(delta + (i >> 3)) >> <u8>(i & 7)) & 1) === 0) continue;
    store<u64>(page + (i << 3), load<u64>(from));
    from += 8;
  }
  return true;
}
