import { TWO_32 } from '../../formats/sizes.ts';
import { mix } from './pattern.ts';

/**
 * Workloads. The place of each step is a pure function of the step's number, so that a check needs no log of past
 * steps.
 */
export type WorkloadKind = 'idle' | 'counter' | 'hot' | 'random' | 'scan' | 'alloc' | 'device' | 'trace' | 'paging';

/** Descriptions of workloads, for people. */
export const WORKLOADS: Readonly<Record<WorkloadKind, string>> = {
  idle: 'does nothing but tick',
  counter: 'counts in one page',
  hot: 'writes at random within a hot set of pages',
  random: 'writes at random in all of its memory',
  scan: 'writes all of its memory from front to back, and again',
  alloc: 'takes memory into use, and later gives it back to the host by its balloon',
  device: 'writes device memory and the shadow of ROM as devices do, beside RAM',
  trace: 'writes the pages of a recorded trace, in their order',
  paging: 'reaches pages through page tables of its own, changes modes and remaps',
};
/** Kinds of workloads; the index is the number in guest memory. */
export const WORKLOAD_KINDS = Object.keys(WORKLOADS) as readonly WorkloadKind[];

/** Tells the place that each step works on, and whether the step frees it. */
export interface Schedule {
  readonly places: number;
  /** Number of steps after which places repeat; infinite where they are random. */
  readonly period: number;
  /** The place of a step, below `places`; or `NOWHERE`. */
  placeOf(step: number): number;
  /** Whether the step gives the place back, so that it reads as zeros. */
  frees(step: number): boolean;
}

const never = () => false;

/** Place of a step that works on no page: in a trace, the end of an interval. */
export const NOWHERE = 0xffff_ffff;

/** @param trace places in their order, for `trace` */
export function scheduleOf(kind: WorkloadKind, seed: number, places: number, trace?: Uint32Array): Schedule {
  switch (kind) {
    case 'idle':
      return { places: 0, period: 0, placeOf: () => NOWHERE, frees: never };
    case 'counter':
      return { places: 1, period: 1, placeOf: () => 0, frees: never };
    case 'hot':
    case 'random':
    case 'paging':
      return {
        places,
        period: Number.POSITIVE_INFINITY,
        placeOf: (step) => mix(mix(seed, step >>> 0), Math.floor(step / TWO_32)) % places,
        frees: never,
      };
    case 'scan':
    case 'device':
      return { places, period: places, placeOf: (step) => step % places, frees: never };
    case 'alloc':
      return allocator(places);
    case 'trace': {
      const order = trace ?? new Uint32Array(1);
      return { places, period: order.length, placeOf: (step) => order[step % order.length], frees: never };
    }
  }
}

/**
 * Takes the next page into use in even steps; gives back the page that was taken longest ago in odd ones, so that half
 * of the places are in use.
 */
function allocator(places: number): Schedule {
  const lag = places >>> 1;
  return {
    places,
    period: 2 * places,
    placeOf: (step) => {
      const turn = Math.floor(step / 2);
      return (step % 2 === 0 ? turn : turn + places - lag) % places;
    },
    frees: (step) => step % 2 === 1,
  };
}

/** Last step of a place that no step has worked on. */
export const UNTOUCHED = -1;

/**
 * The last step before `steps` that worked on each place, or `UNTOUCHED`. Goes backwards until all places are met,
 * which takes some N ln N steps if places are random.
 */
export function lastSteps(schedule: Schedule, steps: number): Float64Array {
  const last = new Float64Array(schedule.places).fill(UNTOUCHED);
  let missing = schedule.places;
  const first = Math.max(0, steps - schedule.period);
  for (let step = steps - 1; step >= first && missing > 0; step--) {
    const place = schedule.placeOf(step);
    if (place === NOWHERE || last[place] !== UNTOUCHED) continue;
    last[place] = step;
    missing--;
  }
  return last;
}
