import { Random } from '../../formats/testing/random.ts';
import type { MigrationLimits } from '../policy/limits.ts';
import type { CompressionChoice } from '../source/options.ts';
import type { FrameName } from '../wire/frames.ts';
import type { Lie, LinkQuality } from './world/network.ts';
import type { HostName } from './world/simulated-socket.ts';

// Scenarios of the simulator. A scenario is drawn from a seed before the run begins; all later draws come from the same
// seed, so that a run can be repeated exactly.

/**
 * Time of an incident: after a count of happenings, operations of a host's disk, or frames; some ms after the count-th
 * frame of a name, or command to a QEMU, or some disk operations of a host after that frame.
 */
export type IncidentTime =
  | { after: 'happenings'; count: number }
  | { after: 'disk'; host: HostName; count: number }
  | { after: 'frames'; count: number }
  | { after: 'command'; host: HostName; name: string; count: number; ms: number }
  | { after: 'frame'; name: FrameName; count: number; ms: number }
  | { after: 'work'; name: FrameName; count: number; host: HostName; works: number };

/**
 * Something that happens to a QEMU: it is killed; told by a user to quit, stop or go on; stands still, or only its QMP;
 * its connection ends; it refuses a command, or the devices that it is to load.
 */
export type QemuAct = 'kill' | 'quit' | 'stop' | 'cont' | 'freeze' | 'hang' | 'hang-up' | 'refuse' | 'refuse-load';

/** A fault, or an act of a user. */
export type Incident = { at: IncidentTime } & (
  | { kind: 'kill'; host: HostName; backAfterMs: number }
  | { kind: 'crash'; host: HostName; backAfterMs: number }
  | { kind: 'stop'; host: HostName; ms: number }
  | { kind: 'cut'; heardBy: 'both' | HostName }
  | { kind: 'part'; ms: number }
  | {
      kind: 'disk';
      host: HostName;
      code: 'ENOSPC' | 'EIO';
      works: number;
      only: 'all' | 'sync' | 'rename' | 'sync-folder';
    }
  | { kind: 'clock'; host: HostName; byMs: number }
  | { kind: 'lie'; how: Lie }
  | { kind: 'limits'; limits: Partial<MigrationLimits> }
  | { kind: 'cancel' }
  | { kind: 'close' }
  | { kind: 'copy'; host: HostName }
  | { kind: 'resolve'; host: HostName; withCopy: boolean }
  | { kind: 'pause' }
  | { kind: 'qemu'; host: HostName; act: QemuAct; command: string; ms: number }
);

export interface Scenario {
  seed: number;
  pages: number;
  workload: { everyMs: number; pagesEach: number; hot: number; kind: 'random' | 'copies' | 'zeros' | 'counter' };
  isPaused: boolean;
  streams: number;
  compression: CompressionChoice;
  proof: 'auto' | 'full' | 'audited';
  limits: Partial<MigrationLimits>;
  timeOuts: { frame: number; hello: number; beat: number };
  link: LinkQuality;
  resumeWithinMs: number;
  keepMs: number;
  hasSafeFile: boolean;
  isSeeded: boolean;
  /** Writes that the machine's dirty tracking misses, which the proof must find. */
  missedWrites: number;
  /** Writes are found by comparing memory with the pages sent, as for guests of QEMU; not drawn. */
  compares: boolean;
  /** A new process gets the number of an ended one. */
  givesNumbersAgain: boolean;
  /** Nobody starts a killed target again. */
  staysKilled: boolean;
  /** After a kill, somebody asks who has the machine before the process is started again. */
  asksAtOnce: boolean;
  troubles: Incident[];
}

export function drawScenario(seed: number): Scenario {
  const random = new Random(Math.imul(seed, 2654435761) ^ 0x5eed);
  const pick = <T>(...choices: T[]) => random.pick(choices);
  // A generator of its own, so that older seeds keep their meaning.
  const users = new Random(Math.imul(seed, 3266489917) ^ 0x05e75);
  // More pages than a stream sends in one turn, or so few that a run is short.
  const pages = random.below(40) === 0 ? 260 + random.below(300) : 2 + random.below(24);
  return {
    seed,
    pages,
    workload: {
      everyMs: pick(1, 5, 20, 50),
      pagesEach: 1 + random.below(4),
      hot: 1 + random.below(pages),
      kind: pick('random', 'copies', 'zeros', 'counter'),
    },
    isPaused: random.below(8) === 0,
    streams: pick(1, 1, 2, 4),
    compression: pick('auto', 'auto', 'always', 'never'),
    proof: pick('auto', 'full', 'audited'),
    limits: drawLimits(random),
    timeOuts: pick({ frame: 2000, hello: 1000, beat: 200 }, { frame: 30_000, hello: 10_000, beat: 5000 }),
    link: { latencyMs: pick(0.05, 1, 20, 100), jitterMs: pick(0, 0, 1, 50), bytesPerMs: pick(50, 1000, 20_000, 1e6) },
    resumeWithinMs: pick(0, 2000, 60_000),
    keepMs: pick(500, 10_000, 600_000),
    hasSafeFile: random.below(3) === 0,
    isSeeded: random.below(5) === 0,
    missedWrites: random.below(6) === 0 ? 1 + random.below(3) : 0,
    compares: false,
    givesNumbersAgain: users.below(2) === 0,
    staysKilled: users.below(4) === 0,
    asksAtOnce: users.below(3) === 0,
    troubles: Array.from({ length: pick(0, 1, 1, 2, 2, 3, 4, 6) }, () => drawTrouble(random)),
  };
}

/**
 * A scenario with troubles in the moments that decide which side has the machine. Such moments are few, and troubles
 * drawn from all moments seldom hit two of them.
 */
export function drawAimedScenario(seed: number): Scenario {
  const scenario = drawScenario(seed);
  const random = new Random(Math.imul(seed, 2246822519) ^ 0xa13ed);
  const aimed = Array.from({ length: 1 + random.below(3) }, (): Incident => {
    const which = { name: random.pick(DECIDING_FRAMES), count: random.pick([1, 1, 1, 2]) };
    const at: IncidentTime =
      random.below(3) === 0
        ? { after: 'work', ...which, host: random.pick(['source', 'target']), works: 1 + random.below(12) }
        : { after: 'frame', ...which, ms: random.pick([0, 0, 0, 1, 30, 300, 3000]) };
    return drawIncident(random, at, DECIDING_KINDS);
  });
  return { ...scenario, troubles: [...scenario.troubles.slice(0, 2), ...aimed] };
}

function drawLimits(random: Random): Partial<MigrationLimits> {
  return {
    ...(random.below(3) === 0 ? { maxDowntimeMs: random.pick([0, 5, 50, 1000]) } : {}),
    ...(random.below(3) === 0 ? { bandwidth: random.pick([20_000, 200_000, 5e6]) } : {}),
    // A guest that writes more than the link takes goes on until this limit.
    timeLimitMs: random.pick([200, 5000, 10_000, 20_000, 20_000]),
    ...(random.below(4) === 0 ? { onTimeLimit: random.pick(['cancel', 'force', 'throttle'] as const) } : {}),
  };
}

function drawMoment(random: Random): IncidentTime {
  const upTo = (most: number) => Math.floor(most ** (random.below(1000) / 1000));
  const host = random.pick(['source', 'target'] as const);
  switch (random.below(3)) {
    case 0:
      return { after: 'happenings', count: upTo(1500) };
    case 1:
      return { after: 'disk', host, count: upTo(60) };
    default:
      return { after: 'frames', count: upTo(80) };
  }
}

function drawTrouble(random: Random): Incident {
  return drawIncident(random, drawMoment(random), KINDS);
}

function drawIncident(random: Random, at: IncidentTime, kinds: readonly DrawnKind[]): Incident {
  const host = random.pick(['source', 'target'] as const);
  const ms = () => random.pick([1, 10, 100, 1000, 10_000, 60_000]);
  const kind = random.pick(kinds);
  switch (kind) {
    case 'kill':
    case 'crash':
      return { at, kind, host, backAfterMs: ms() };
    case 'stop':
      return { at, kind, host, ms: ms() };
    case 'cut':
      return { at, kind, heardBy: random.pick(['both', 'both', 'source', 'target']) };
    case 'part':
      return { at, kind, ms: ms() };
    case 'disk': {
      const only = random.pick(['all', 'all', 'sync', 'rename', 'sync-folder'] as const);
      return { at, kind, host, code: random.pick(['ENOSPC', 'EIO']), works: random.pick([1, 1, 3, 20, 1000]), only };
    }
    case 'clock':
      return { at, kind, host, byMs: random.pick([-1e9, -5000, 5000, 1e9]) };
    case 'lie':
      return { at, kind, how: random.pick(['flip', 'drop', 'repeat', 'swap']) };
    case 'limits':
      return { at, kind, limits: drawLimits(random) };
    case 'copy':
      return { at, kind, host };
    case 'resolve':
      return { at, kind, host, withCopy: random.below(3) > 0 };
    default:
      return { at, kind };
  }
}

/** QEMUs have scenarios of their own. */
type DrawnKind = Exclude<Incident['kind'], 'qemu'>;

const KINDS: readonly DrawnKind[] = [
  ...(['kill', 'kill', 'kill', 'crash', 'crash', 'stop', 'cut', 'cut', 'cut', 'part', 'disk', 'disk', 'disk'] as const),
  ...(['clock', 'lie', 'limits', 'cancel', 'close', 'copy', 'resolve', 'resolve', 'pause'] as const),
];

const DECIDING_FRAMES: readonly FrameName[] = ['ready', 'commit', 'running', 'decision'];
const DECIDING_KINDS: readonly DrawnKind[] = [
  ...([
    'kill',
    'kill',
    'crash',
    'cut',
    'cut',
    'part',
    'disk',
    'copy',
    'resolve',
    'resolve',
    'close',
    'cancel',
  ] as const),
];
