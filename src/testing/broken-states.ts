import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { STATES_FOLDER } from './states.ts';

/** Changes to a good state, in this order. */
type Damage =
  | { do: 'cut'; at: number }
  | { do: 'flip'; at: number; bit: number }
  | { do: 'zero'; from: number; to: number }
  | { do: 'remove'; from: number; to: number }
  | { do: 'append'; text: string };

/** A damaged state as test-vectors/broken/recipes.json describes it, with its truth. */
export interface BrokenState {
  name: string;
  why: string;
  /** A file of test-vectors/states. */
  of: string;
  damage: Damage[];
  /** Answer of the loader of 7.2.22. */
  virtualbox: string;
  truth: {
    /** `nothing`: no unit can be kept. */
    salvage: 'complete' | 'partly' | 'nothing';
    repairedBits?: number;
    /** Names of units that are gone; pgm stands here when all memory is. */
    unitsGone: string[];
    /** By key of a naive reading, as ranges `[first, last]`. */
    lost: [first: string, last: string][];
    lostPages: number;
    stalePages?: number;
  };
}

const FILE = new URL(
  `${import.meta.url.includes('/dist/src/') ? '../' : ''}../../test-vectors/broken/recipes.json`,
  import.meta.url,
);

export function brokenStates(): BrokenState[] {
  return (JSON.parse(readFileSync(FILE, 'utf8')) as { states: BrokenState[] }).states;
}

export function originalBytes({ of }: BrokenState): Buffer {
  return readFileSync(join(STATES_FOLDER, of));
}

export function buildBroken(state: BrokenState): Buffer {
  return state.damage.reduce(apply, originalBytes(state));
}

function apply(bytes: Buffer, damage: Damage): Buffer {
  const changed = Buffer.from(bytes);
  switch (damage.do) {
    case 'cut':
      return changed.subarray(0, damage.at);
    case 'flip':
      changed[damage.at] ^= 1 << damage.bit;
      return changed;
    case 'zero':
      return changed.fill(0, damage.from, damage.to);
    case 'remove':
      return Buffer.concat([changed.subarray(0, damage.from), changed.subarray(damage.to)]);
    case 'append':
      return Buffer.concat([changed, Buffer.from(damage.text)]);
  }
}
