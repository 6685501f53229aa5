import { Random } from '../../../formats/testing/random.ts';
import type { WorkloadOptions } from '../../../src/running/workload.ts';
import type { UserAct } from '../user-acts.ts';

// Live saves of a machine that runs, by a process whose host and user interfere. As with migrations, a whole scenario
// is drawn from one seed before the run.

/** Moment of a trouble: so many ms after the start, or after so many operations of the disk. */
export type SaveTroubleTime = { afterMs: number } | { afterWorks: number };

/** A fault, or an act of a user. */
export type SaveTrouble = { at: SaveTroubleTime } & (
  | { kind: 'disk'; code: 'ENOSPC' | 'EIO'; works: number; only: 'all' | 'write' | 'sync' | 'rename' | 'sync-folder' }
  | { kind: 'cancel' }
  | { kind: 'kill' }
  | { kind: 'crash' }
  | { kind: 'user'; act: UserAct }
);

export interface SaveScenario {
  seed: number;
  ramMib: number;
  workload: WorkloadOptions;
  /** Writes of the guest before the first save. */
  stepsBefore: number;
  /** Speed of the disk. */
  bytesPerMs: number;
  maxDowntimeMs: number;
  leaveSuspended: boolean;
  limits: { passes: number; bytes?: number };
  /** After this pass the disk has no room left. */
  fullAfterPass: number | undefined;
  /** Live saves, one after the other, to the same name. */
  saves: number;
  troubles: SaveTrouble[];
}

export function drawSaveScenario(seed: number): SaveScenario {
  const random = new Random(Math.imul(seed, 2654435761) ^ 0x5a7e);
  const pick = <T>(...choices: T[]) => random.pick(choices);
  return {
    seed,
    ramMib: pick(2, 2, 3, 5),
    workload: {
      kind: pick('counter', 'hot', 'random', 'scan', 'alloc', 'device'),
      rate: pick(200, 1000, 5000),
      seed: random.below(1000),
      patternSize: 16 * (1 + random.below(256)),
      pages: 1 + random.below(200),
    },
    stepsBefore: random.below(2000),
    bytesPerMs: pick(2000, 20_000, 200_000),
    maxDowntimeMs: pick(1, 50, 250, 1000),
    leaveSuspended: random.below(2) === 0,
    limits: { passes: pick(4, 60, 60, 60), ...(random.below(8) === 0 ? { bytes: 100_000 } : {}) },
    fullAfterPass: random.below(12) === 0 ? random.below(4) : undefined,
    saves: 1 + random.below(3),
    troubles: Array.from({ length: pick(0, 1, 1, 2, 3, 5) }, () => drawTrouble(random)),
  };
}

function drawTrouble(random: Random): SaveTrouble {
  const upTo = (most: number) => Math.floor(most ** (random.below(1000) / 1000));
  const at = random.below(2) === 0 ? { afterMs: upTo(4000) } : { afterWorks: upTo(120) };
  const kind = random.pick(KINDS);
  switch (kind) {
    case 'disk':
      return {
        ...{ at, kind, code: random.pick(['ENOSPC', 'EIO'] as const), works: random.pick([1, 1, 3, 1000]) },
        only: random.pick(['all', 'write', 'sync', 'rename', 'sync-folder'] as const),
      };
    case 'user':
      return { at, kind, act: random.pick(ACTS) };
    default:
      return { at, kind };
  }
}

const KINDS: readonly SaveTrouble['kind'][] = [
  ...(['disk', 'disk', 'disk', 'cancel', 'cancel', 'kill', 'crash', 'user', 'user', 'user'] as const),
];
const ACTS: readonly UserAct[] = [
  ...(['suspend', 'suspend-ext', 'resume', 'resume', 'reset', 'reset', 'debug', 'power-off'] as const),
];
