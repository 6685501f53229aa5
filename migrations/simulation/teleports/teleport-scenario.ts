import { Random } from '../../../formats/testing/random.ts';
import type { WorkloadOptions } from '../../../src/running/workload.ts';
import type { Scenario } from '../scenario.ts';
import type { UserAct } from '../user-acts.ts';
import type { HostName } from '../world/simulated-socket.ts';

// Teleports of a machine that runs to a savkit that keeps it in a file, past hosts, links, a relay and users that
// interfere. All of it is drawn from one seed before anything happens.

/** Words of the protocol that decide which side has the machine. */
const DECIDING_WORDS = ['lock-media', 'hand-over', 'ACK', 'NACK'] as const;
export type DecidingWord = (typeof DECIDING_WORDS)[number];

/** Moment of a trouble: after a time, after operations of a disk, or after a word has been sent. */
export type TeleportTroubleTime =
  | { afterMs: number }
  | { afterWorks: number; of: HostName }
  | { afterWord: DecidingWord; count: number; ms: number }
  | { afterWord: DecidingWord; count: number; works: number; of: HostName };

/** A fault, or an act of a user. */
export type TeleportTrouble = { at: TeleportTroubleTime } & (
  | {
      kind: 'disk';
      code: 'ENOSPC' | 'EIO';
      works: number;
      only: 'all' | 'write' | 'sync' | 'link' | 'unlink' | 'sync-folder';
    }
  | { kind: 'kill' | 'crash'; host: HostName }
  | { kind: 'kill-relay' }
  | { kind: 'stop'; host: HostName; ms: number }
  | { kind: 'cut'; heardBy: 'both' | 'source' | 'target' }
  | { kind: 'part'; ms: number }
  | { kind: 'flip' }
  | { kind: 'interrupt'; host: HostName }
  | { kind: 'user'; act: UserAct }
);

export interface TeleportScenario {
  seed: number;
  ramMib: number;
  workload: WorkloadOptions;
  maxDowntimeMs: number;
  /** The user wants the machine paused at the target. */
  paused: boolean;
  /** The user has paused it before. */
  isPausedBefore: boolean;
  /** The target takes a copy only. */
  declines: boolean;
  /** The target finds another file under the name that it writes, and may replace it. */
  replaces: boolean;
  /** A relay stands between both sides. */
  isRelayed: boolean;
  link: Scenario['link'];
  /** Number of tries of the source's user. */
  tries: number;
  troubles: TeleportTrouble[];
}

export function drawTeleportScenario(seed: number): TeleportScenario {
  const random = new Random(Math.imul(seed, 2654435761) ^ 0x7e1e);
  const pick = <T>(...choices: T[]) => random.pick(choices);
  return {
    seed,
    ramMib: pick(2, 2, 3),
    workload: {
      kind: pick('counter', 'hot', 'random', 'scan', 'alloc', 'device'),
      rate: pick(50, 200, 1000),
      seed: random.below(1000),
      patternSize: 16 * (1 + random.below(256)),
      pages: 1 + random.below(200),
    },
    maxDowntimeMs: pick(20, 250, 250, 1000),
    paused: random.below(4) === 0,
    isPausedBefore: random.below(6) === 0,
    declines: random.below(6) === 0,
    replaces: random.below(4) === 0,
    isRelayed: random.below(4) === 0,
    link: { latencyMs: pick(0.05, 1, 10, 30), jitterMs: pick(0, 0, 1, 20), bytesPerMs: pick(5000, 20_000, 1e6) },
    tries: 1 + random.below(3),
    troubles: Array.from({ length: pick(0, 1, 1, 2, 3, 4) }, () => drawTrouble(random)),
  };
}

function drawTime(random: Random): TeleportTroubleTime {
  const upTo = (most: number) => Math.floor(most ** (random.below(1000) / 1000));
  const of = random.pick(['target', 'target', 'source'] as const);
  const word = { afterWord: random.pick(DECIDING_WORDS), count: random.pick([1, 1, 2, 3, 4]) };
  switch (random.below(5)) {
    case 0:
      return { afterMs: upTo(4000) };
    case 1:
      return { afterWorks: upTo(60), of };
    case 2:
      return { ...word, works: 1 + random.below(8), of };
    default:
      return { ...word, ms: random.pick([0, 0, 0.1, 1, 30, 300]) };
  }
}

function drawTrouble(random: Random): TeleportTrouble {
  const at = drawTime(random);
  const host = random.pick(['source', 'target'] as const);
  const ms = () => random.pick([1, 10, 100, 1000, 10_000, 60_000]);
  const kind = random.pick(KINDS);
  switch (kind) {
    case 'disk':
      return {
        ...{ at, kind, code: random.pick(['ENOSPC', 'EIO'] as const), works: random.pick([1, 1, 3, 1000]) },
        only: random.pick(['all', 'write', 'sync', 'link', 'unlink', 'sync-folder'] as const),
      };
    case 'kill':
    case 'crash':
    case 'interrupt':
      return { at, kind, host };
    case 'stop':
      return { at, kind, host, ms: ms() };
    case 'cut':
      return { at, kind, heardBy: random.pick(['both', 'both', 'source', 'target']) };
    case 'part':
      return { at, kind, ms: ms() };
    case 'user':
      return { at, kind, act: random.pick(ACTS) };
    default:
      return { at, kind };
  }
}

const KINDS: readonly TeleportTrouble['kind'][] = [
  ...(['disk', 'disk', 'disk', 'kill', 'kill', 'crash', 'kill-relay', 'stop', 'cut', 'cut', 'part'] as const),
  ...(['flip', 'interrupt', 'user', 'user'] as const),
];
const ACTS: readonly UserAct[] = ['suspend', 'resume', 'resume', 'reset', 'power-off'];
