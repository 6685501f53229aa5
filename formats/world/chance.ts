import { randomBytes, randomInt } from 'node:crypto';

/** What nobody can foresee. */
export interface Chance {
  /** So many random bytes. */
  bytes(count: number): Buffer;
  /** A number in [from, to). */
  integer(from: number, to: number): number;
}

export const REAL_CHANCE: Chance = { bytes: (count) => randomBytes(count), integer: (from, to) => randomInt(from, to) };
