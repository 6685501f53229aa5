const HASH_BITS = 13;
const HASH_SHIFT = 32 - HASH_BITS;
const MULTIPLIER = 0x9e3779b1;
const MAX_DISTANCE = 8192;
const MAX_MATCH = 264;
/** LZF also has matches of three bytes; they save a byte at most, and would make encoding a fifth slower. */
const MIN_MATCH = 4;
const MAX_LITERALS = 32;
/**
 * After each 32 (2^5) misses in a row, the step of the search grows by one byte: incompressible input costs little,
 * other input loses nothing.
 */
const MISSES_SHIFT = 5;
/** Positions must fit the table's 16 bits; no container has blocks of more than half of that. */
const MAX_BLOCK = 65534;

/** Compresses LZF blocks of at most 65534 bytes, greedily, with one hash table. */
export class LzfEncoder {
  /** Positions within the block, from 1 on; 0 is none. The table fits the first-level cache, and is quickly cleared. */
  readonly #table = new Uint16Array(1 << HASH_BITS);

  /**
   * Compresses `source[at, at + length)` to `target[to, to + limit)`.
   * @returns bytes written; 0 if they do not fit: the target then holds rubbish within its limit
   */
  encode(source: Uint8Array, at: number, length: number, target: Uint8Array, to: number, limit: number): number {
    if (length > MAX_BLOCK) return 0;
    const table = this.#table;
    table.fill(0);
    const end = at + length;
    const lastStart = end - MIN_MATCH;
    const limitEnd = to + limit;
    let out = to;
    let literals = at;
    let i = at;
    let misses = 0;
    while (i <= lastStart) {
      const word = fourBytes(source, i);
      const slot = Math.imul(word, MULTIPLIER) >>> HASH_SHIFT;
      const ref = table[slot] - 1 + at;
      table[slot] = i - at + 1;
      if (ref < at || fourBytes(source, ref) !== word) {
        i += 1 + (misses++ >> MISSES_SHIFT);
        continue;
      }
      if (i - ref > MAX_DISTANCE) {
        i++;
        continue;
      }
      const runs = (i - literals + MAX_LITERALS - 1) >> 5;
      if (out + runs + (i - literals) + 3 > limitEnd) return 0;
      out = putLiterals(source, literals, i, target, out);
      const max = Math.min(MAX_MATCH, end - i);
      let count = MIN_MATCH;
      while (count < max && source[ref + count] === source[i + count]) count++;
      const distance = i - ref - 1;
      if (count < 9) {
        target[out++] = ((count - 2) << 5) | (distance >> 8);
      } else {
        target[out++] = 0xe0 | (distance >> 8);
        target[out++] = count - 9;
      }
      target[out++] = distance & 0xff;
      i += count;
      literals = i;
      misses = 0;
      if (i > lastStart) break;
      // The next match may start at the end of this one, so two positions there are noted, as liblzf does.
      for (let k = i - 2; k < i; k++) table[Math.imul(fourBytes(source, k), MULTIPLIER) >>> HASH_SHIFT] = k - at + 1;
    }
    const rest = end - literals;
    if (out + rest + ((rest + MAX_LITERALS - 1) >> 5) > limitEnd) return 0;
    return putLiterals(source, literals, end, target, out) - to;
  }
}

function fourBytes(source: Uint8Array, at: number): number {
  return source[at] | (source[at + 1] << 8) | (source[at + 2] << 16) | (source[at + 3] << 24);
}

/** Writes `source[from, end)` as literal runs; the caller has made sure that they fit. */
function putLiterals(source: Uint8Array, from: number, end: number, target: Uint8Array, to: number): number {
  let out = to;
  for (let i = from; i < end; ) {
    const stop = Math.min(end, i + MAX_LITERALS);
    target[out++] = stop - i - 1;
    while (i < stop) target[out++] = source[i++];
  }
  return out;
}
