import { randomBytes, randomInt } from 'node:crypto';

/** Source of random values; a simulator puts one with a seed in its place. */
export interface Chance {
  /** `count` random bytes. */
  bytes(count: number): Buffer;
  /** A number in [from, to). */
  integer(from: number, to: number): number;
}

export const REAL_CHANCE: Chance = { bytes: (count) => randomBytes(count), integer: (from, to) => randomInt(from, to) };
