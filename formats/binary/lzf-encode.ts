const HASH_BITS = 13;
const MAX_DISTANCE = 8192;
const MAX_MATCH = 264;
const MIN_MATCH = 3;
const MAX_LITERALS = 32;
/** Every so many misses in a row the search steps one byte further: incompressible input costs little, other input loses nothing. */
const MISSES_PER_STEP = 5;

/** Compresses LZF blocks, greedily, through one hash table that is never cleared: positions carry a base that grows with each block. */
export class LzfEncoder {
  readonly #table = new Int32Array(1 << HASH_BITS);
  #base = 1;

  /**
   * Compresses `source[at, at + length)` to `target[to, to + limit)`.
   * @returns the bytes written, 0 where they would not fit; the target then holds rubbish within its limit
   */
  encode(source: Uint8Array, at: number, length: number, target: Uint8Array, to: number, limit: number): number {
    const table = this.#table;
    const toTable = this.#nextBase(length) - at;
    const end = at + length;
    const lastStart = end - MIN_MATCH;
    const limitEnd = to + limit;
    let out = to;
    let literals = at;
    let i = at;
    let misses = 0;
    while (i <= lastStart) {
      const slot = hash(source, i);
      const ref = table[slot] - toTable;
      table[slot] = i + toTable;
      if (ref < at || i - ref > MAX_DISTANCE || source[ref] !== source[i] || source[ref + 1] !== source[i + 1] || source[ref + 2] !== source[i + 2]) {
        i += 1 + (misses++ >> MISSES_PER_STEP);
        continue;
      }
      out = putLiterals(source, literals, i, target, out, limitEnd);
      if (out === 0 || out + 3 > limitEnd) return 0;
      const count = matchLength(source, ref, i, Math.min(MAX_MATCH, end - i));
      out = putCopy(target, out, i - ref - 1, count - 2);
      i += count;
      literals = i;
      misses = 0;
      if (i <= lastStart) {
        table[hash(source, i - 2)] = i - 2 + toTable;
        table[hash(source, i - 1)] = i - 1 + toTable;
      }
    }
    out = putLiterals(source, literals, end, target, out, limitEnd);
    return out === 0 ? 0 : out - to;
  }

  /** Positions of earlier blocks lie below the base of this one. */
  #nextBase(length: number): number {
    const base = this.#base;
    this.#base += length;
    if (this.#base < 0x4000_0000) return base;
    this.#table.fill(0);
    this.#base = 1 + length;
    return 1;
  }
}

function hash(source: Uint8Array, i: number): number {
  return Math.imul(source[i] | (source[i + 1] << 8) | (source[i + 2] << 16), 0x9e3779b1) >>> (32 - HASH_BITS);
}

function matchLength(source: Uint8Array, ref: number, i: number, max: number): number {
  let count = MIN_MATCH;
  while (count < max && source[ref + count] === source[i + count]) count++;
  return count;
}

function putCopy(target: Uint8Array, to: number, distance: number, length: number): number {
  let out = to;
  if (length < 7) {
    target[out++] = (length << 5) | (distance >> 8);
  } else {
    target[out++] = 0xe0 | (distance >> 8);
    target[out++] = length - 7;
  }
  target[out++] = distance & 0xff;
  return out;
}

/** Writes `source[from, end)` as literal runs; 0 where they don't fit. */
function putLiterals(source: Uint8Array, from: number, end: number, target: Uint8Array, to: number, limitEnd: number): number {
  let out = to;
  for (let i = from; i < end; ) {
    const count = Math.min(MAX_LITERALS, end - i);
    if (out + 1 + count > limitEnd) return 0;
    target[out++] = count - 1;
    for (const stop = i + count; i < stop; ) target[out++] = source[i++];
  }
  return out;
}
