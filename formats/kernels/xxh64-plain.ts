import { TWO_32 } from '../sizes.ts';

// xxh64 with seed 0 in plain TypeScript, as fallback and oracle of the kernel. 64-bit numbers are pairs of 32-bit ones,
// since BigInts are far slower.

type Pair = readonly [high: number, low: number];

const PRIME_1: Pair = [0x9e3779b1, 0x85ebca87];
const PRIME_2: Pair = [0xc2b2ae3d, 0x27d4eb4f];
const PRIME_3: Pair = [0x165667b1, 0x9e3779f9];
const PRIME_4: Pair = [0x85ebca77, 0xc2b2ae63];
const PRIME_5: Pair = [0x27d4eb2f, 0x165667c5];

/** A mutable 64-bit number. */
class Word {
  high = 0;
  low = 0;

  set(high: number, low: number): this {
    this.high = high | 0;
    this.low = low | 0;
    return this;
  }

  add(high: number, low: number): this {
    const sum = (this.low >>> 0) + (low >>> 0);
    this.high = (this.high + high + (sum > 0xffffffff ? 1 : 0)) | 0;
    this.low = sum | 0;
    return this;
  }

  xor(high: number, low: number): this {
    this.high ^= high;
    this.low ^= low;
    return this;
  }

  multiply([high, low]: Pair): this {
    const a0 = this.low & 0xffff;
    const a1 = this.low >>> 16;
    const b0 = low & 0xffff;
    const b1 = low >>> 16;
    const low0 = a0 * b0;
    const mid = a1 * b0 + (low0 >>> 16);
    const mid2 = a0 * b1 + (mid & 0xffff);
    const carry = a1 * b1 + Math.floor(mid / 0x10000) + Math.floor(mid2 / 0x10000);
    this.high = (Math.imul(this.high, low) + Math.imul(this.low, high) + (carry | 0)) | 0;
    this.low = (mid2 << 16) | (low0 & 0xffff) | 0;
    return this;
  }

  rotate(by: number): this {
    const { high, low } = this;
    this.high = (high << by) | (low >>> (32 - by));
    this.low = (low << by) | (high >>> (32 - by));
    return this;
  }

  /** `this ^= this >>> by`, for any `by` from 1 to 63. */
  fold(by: number): this {
    return by >= 32
      ? this.xor(0, this.high >>> (by - 32))
      : this.xor(this.high >>> by, (this.low >>> by) | (this.high << (32 - by)));
  }
}

const hash = new Word();
const lane = new Word();
const lanes = [new Word(), new Word(), new Word(), new Word()] as const;

/** xxh64 of `bytes[at, at + length)`. */
export function xxh64Plain(bytes: Uint8Array, at: number, length: number): bigint {
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, length);
  let i = 0;
  hash.set(...PRIME_5);
  if (length >= 32) {
    lanes[0].set(...PRIME_1).add(...PRIME_2);
    lanes[1].set(...PRIME_2);
    lanes[2].set(0, 0);
    lanes[3].set(...negative(PRIME_1));
    for (; i + 32 <= length; i += 32)
      for (let k = 0; k < 4; k++) round(lanes[k], view.getInt32(i + 8 * k + 4, true), view.getInt32(i + 8 * k, true));
    hash.set(0, 0);
    for (const [k, by] of [1, 7, 12, 18].entries()) {
      lane.set(lanes[k].high, lanes[k].low).rotate(by);
      hash.add(lane.high, lane.low);
    }
    for (const { high, low } of lanes) {
      round(lane.set(0, 0), high, low);
      hash
        .xor(lane.high, lane.low)
        .multiply(PRIME_1)
        .add(...PRIME_4);
    }
  }
  hash.add(Math.floor(length / TWO_32), length);
  for (; i + 8 <= length; i += 8) {
    round(lane.set(0, 0), view.getInt32(i + 4, true), view.getInt32(i, true));
    hash
      .xor(lane.high, lane.low)
      .rotate(27)
      .multiply(PRIME_1)
      .add(...PRIME_4);
  }
  if (i + 4 <= length) {
    lane.set(0, view.getInt32(i, true)).multiply(PRIME_1);
    hash
      .xor(lane.high, lane.low)
      .rotate(23)
      .multiply(PRIME_2)
      .add(...PRIME_3);
    i += 4;
  }
  for (; i < length; i++) {
    lane.set(0, view.getUint8(i)).multiply(PRIME_5);
    hash.xor(lane.high, lane.low).rotate(11).multiply(PRIME_1);
  }
  hash.fold(33).multiply(PRIME_2).fold(29).multiply(PRIME_3).fold(32);
  return (BigInt(hash.high >>> 0) << 32n) | BigInt(hash.low >>> 0);
}

function round(state: Word, high: number, low: number): void {
  input.set(high, low).multiply(PRIME_2);
  state.add(input.high, input.low).rotate(31).multiply(PRIME_1);
}
const input = new Word();

function negative([high, low]: Pair): Pair {
  return [~high + (low === 0 ? 1 : 0), -low];
}
