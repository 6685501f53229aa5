import { Random } from '../../../formats/testing/random.ts';
import { drawAimedScenario, drawScenario, type Incident, type IncidentTime, type Scenario } from '../scenario.ts';
import type { HostName } from '../world/simulated-socket.ts';
import type { WatchFault } from './write-watcher.ts';

/** A scenario with a guest of QEMU. */
export interface GuestScenario extends Scenario {
  /** A watchdog asks who has the guest if a process of savkit is killed. */
  hasWatchdog: boolean;
  /** The guest has disks, which are copied. */
  copiesDisks: boolean;
  /** Number of its disks where they are copied. */
  disks: number;
  /** The user of a savkit that was killed at the source migrates the guest once more. */
  migratesAgain: boolean;
  /** That user asks first who has the guest; else the next migration settles the one before. */
  asksFirst: boolean;
  /** The QEMUs are of version 7.2, else 10. */
  areOld: boolean;
  /** Words of QEMU within a moment arrive together. */
  joinsAnswers: boolean;
  /** The source's QEMU has memory that is not shared: it hands out all of it with the devices. */
  isPrivate: boolean;
  /** The kernel notes writes; else all memory is compared. */
  notesWrites: boolean;
  /** Fault by which the kernel ceases to note writes. */
  watchFault?: WatchFault | undefined;
}

/** Draws a scenario with troubles of links, disks, processes and hosts, half of them aimed, and troubles of QEMUs. */
export function drawGuestScenario(seed: number): GuestScenario {
  const random = new Random(Math.imul(seed, 2246822519) ^ 0x9e3);
  const base = random.below(2) === 0 ? drawScenario(seed) : drawAimedScenario(seed);
  // Generators of their own, so that older seeds keep their meaning.
  const hangs = new Random(Math.imul(seed, 3266489917) ^ 0x4a96);
  const ways = new Random(Math.imul(seed, 668265263) ^ 0x3a75);
  const more = new Random(Math.imul(seed, 374761393) ^ 0xd15c);
  const users = new Random(Math.imul(seed, 2654435761) ^ 0x5e77);
  // This constant was chosen so that none of the seeds in the tests and in the README has rare troubles.
  const rare = new Random(Math.imul(seed, 2246822507) ^ 0x1d954);
  const [asksFirst, areOld] = [users.below(2) === 0, users.below(3) === 0];
  const joinsAnswers = rare.below(6) === 0;
  const kills = rare.below(8) === 0 ? killsAtHandOver(rare) : [];
  const troubles = base.troubles.filter(({ kind }) => kind !== 'pause' && kind !== 'limits').slice(0, random.below(4));
  const [notesWrites, hasWatchFault] = [ways.below(3) === 0, ways.below(3) === 0];
  const watchFault = hasWatchFault ? { how: ways.pick(WATCH_FAULTS), scan: 1 + ways.below(5) } : undefined;
  const [isPrivate, copiesDisks] = [ways.below(4) === 0, ways.below(4) === 0];
  const isLonger = (isPrivate || copiesDisks) && ways.below(2) === 0;
  return {
    ...base,
    ...{ notesWrites, watchFault, isPrivate, copiesDisks, disks: more.pick([1, 1, 2, 3]) },
    migratesAgain: more.below(2) === 0 || kills.length > 0,
    ...{ asksFirst, areOld, joinsAnswers },
    limits: waitingOrForced(base.limits),
    ...{ isSeeded: false, hasSafeFile: false, missedWrites: 0, compares: true },
    hasWatchdog: random.below(3) > 0,
    troubles: [
      ...troubles,
      ...Array.from({ length: random.below(3) }, () => longer(drawQemuTrouble(random, COMMANDS), hangs)),
      ...(isLonger ? [drawQemuTrouble(ways, FURTHER_COMMANDS)] : []),
      ...kills,
    ],
  };
}

/** Savkit is killed just before its decision, and again just after that of the next migration. */
function killsAtHandOver(random: Random): Incident[] {
  const kill = (name: 'ready' | 'commit', ms: number): Incident => ({
    at: { after: 'frame', name, count: 1, ms },
    ...{ kind: 'kill', host: 'source', backAfterMs: random.pick([100, 1000]) },
  });
  return [kill('ready', 0), kill('commit', random.pick([0, 0.1, 1, 30]))];
}

/** Guests of QEMU cannot be throttled, nor can their limits be changed. */
function waitingOrForced(limits: Scenario['limits']): Scenario['limits'] {
  return limits.onTimeLimit === 'throttle' ? { ...limits, onTimeLimit: 'force' } : limits;
}

/** Some QEMUs hang for longer than savkit waits for them. */
function longer(trouble: Incident, random: Random): Incident {
  return trouble.kind === 'qemu' && random.below(3) === 0 ? { ...trouble, ms: 20 * trouble.ms } : trouble;
}

function drawQemuTrouble(random: Random, commands: Record<HostName, readonly string[]>): Incident {
  const host = random.pick(['source', 'source', 'target'] as const);
  const command = random.pick(commands[host]);
  const after: IncidentTime[] = [
    { after: 'happenings', count: Math.floor(1500 ** (random.below(1000) / 1000)) },
    { after: 'command', host, name: command, count: random.pick([1, 1, 2]), ms: random.pick([0, 0, 0.1, 1, 10, 300]) },
    { after: 'frame', name: random.pick(['ready', 'commit', 'running']), count: 1, ms: random.pick([0, 0, 1, 30]) },
  ];
  const act = random.pick(ACTS);
  const ms = random.pick([5, 100, 3000, 40_000]);
  const refused = random.pick(commands[host].filter((name) => name !== 'quit'));
  return { at: random.pick(after), kind: 'qemu', host, act, ms, command: refused };
}

const WATCH_FAULTS: readonly WatchFault['how'][] = ['no-compiler', 'refused', 'killed', 'killed', 'error', 'error'];

const COMMANDS: Record<HostName, readonly string[]> = {
  source: ['stop', 'migrate', 'query-migrate', 'query-status', 'migrate-set-capabilities', 'cont', 'quit'],
  target: ['migrate-incoming', 'query-migrate', 'query-status', 'migrate-set-capabilities', 'cont'],
};

/** Commands of QMP that savkit uses besides, for guests whose memory is not shared, or whose disks are copied. */
const FURTHER_COMMANDS: Record<HostName, readonly string[]> = {
  source: [
    'migrate-continue',
    'migrate_cancel',
    'blockdev-add',
    'blockdev-mirror',
    'query-block-jobs',
    'block-job-cancel',
  ],
  target: ['nbd-server-start', 'block-export-add', 'block-export-del', 'nbd-server-stop'],
};

const ACTS = [
  'kill',
  'kill',
  'quit',
  'stop',
  'cont',
  'cont',
  'hang',
  'freeze',
  'hang-up',
  'refuse',
  'refuse-load',
] as const;
