// xxh64 with seed 0, of many blocks at once. Its twin is xxh64-plain.ts.

import { BATCH_AT, BATCH_LENGTH, BATCH_RESULT } from './memory';

const PRIME_1: u64 = 0x9e3779b185ebca87;
const PRIME_2: u64 = 0xc2b2ae3d27d4eb4f;
const PRIME_3: u64 = 0x165667b19e3779f9;
const PRIME_4: u64 = 0x85ebca77c2b2ae63;
const PRIME_5: u64 = 0x27d4eb2f165667c5;

/** Hashes the blocks of the batch into its results. */
export function xxh64Batch(count: usize): void {
  for (let i: usize = 0; i < count; i++) {
    const at = <usize>load<u32>(BATCH_AT + (i << 2));
    store<u64>(BATCH_RESULT + (i << 3), xxh64(at, <usize>load<u32>(BATCH_LENGTH + (i << 2))));
  }
}

// @ts-ignore: decorators are AssemblyScript's
@inline
function round(state: u64, input: u64): u64 {
  return rotl(state + input * PRIME_2, 31) * PRIME_1;
}

// @ts-ignore: decorators are AssemblyScript's
@inline
function merge(hash: u64, state: u64): u64 {
  return (hash ^ round(0, state)) * PRIME_1 + PRIME_4;
}

// The state of a hash whose bytes come in pieces.
let v1: u64 = 0;
let v2: u64 = 0;
let v3: u64 = 0;
let v4: u64 = 0;

export function xxh64(at: usize, length: usize): u64 {
  xxh64Begin();
  return xxh64End(at, length, length);
}

export function xxh64Begin(): void {
  v1 = PRIME_1 + PRIME_2;
  v2 = PRIME_2;
  v3 = 0;
  v4 = 0 - PRIME_1;
}

/** Takes whole stripes of 32 bytes. */
export function xxh64Stripes(at: usize, length: usize): void {
  let a = v1;
  let b = v2;
  let c = v3;
  let d = v4;
  for (const end = at + length; at < end; at += 32) {
    a = round(a, load<u64>(at));
    b = round(b, load<u64>(at, 8));
    c = round(c, load<u64>(at, 16));
    d = round(d, load<u64>(at, 24));
  }
  v1 = a;
  v2 = b;
  v3 = c;
  v4 = d;
}

/** Takes the last bytes. `total`: number of all bytes. */
export function xxh64End(at: usize, length: usize, total: usize): u64 {
  const end = at + length;
  let hash: u64 = PRIME_5;
  if (total >= 32) {
    xxh64Stripes(at, length & ~31);
    at += length & ~31;
    hash = merge(merge(merge(merge(rotl(v1, 1) + rotl(v2, 7) + rotl(v3, 12) + rotl(v4, 18), v1), v2), v3), v4);
  }
  hash += <u64>total;
  for (; at + 8 <= end; at += 8) hash = rotl(hash ^ round(0, load<u64>(at)), 27) * PRIME_1 + PRIME_4;
  if (at + 4 <= end) {
    hash = rotl(hash ^ (<u64>load<u32>(at) * PRIME_1), 23) * PRIME_2 + PRIME_3;
    at += 4;
  }
  for (; at < end; at++) hash = rotl(hash ^ (<u64>load<u8>(at) * PRIME_5), 11) * PRIME_1;
  hash = (hash ^ (hash >> 33)) * PRIME_2;
  hash = (hash ^ (hash >> 29)) * PRIME_3;
  return hash ^ (hash >> 32);
}
