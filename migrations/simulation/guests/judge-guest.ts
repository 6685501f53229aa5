import { loadZstd } from '../../pages/zstd.ts';
import { leftFaults, OF_LINKS, recordFaults, toldFaults } from '../judge.ts';
import { judgedRun } from '../judged-run.ts';
import type { HostName } from '../world/simulated-socket.ts';
import { learnHeads } from './device-blob.ts';
import { GuestPlay } from './guest-play.ts';
import type { GuestScenario } from './guest-scenario.ts';
import type { SimulatedQemu } from './simulated-qemu.ts';

/** Longest time for which a QEMU may wait for disks as it stops its guest: the ten seconds that savkit gives it. */
const MOST_DEAF_MS = 10_500;
/** Bytes per ms of a slow link. */
const SLOW = 50;
/** Reasons of migrations that take too long. */
const TAKE_LONG: ReadonlySet<string> = new Set(['time-limit', 'too-many-rounds']);

/** Result of a simulated run. */
export interface GuestJudgement {
  /** Violations; empty where all is well. */
  faults: string[];
  /** Incidents that happened, with their times. */
  log: string[];
  /** Side that has the guest in the end. */
  survivor: HostName | 'lost';
  happened: number;
  endedAt: number;
}

/** Plays a scenario with a guest of QEMU, and checks the result. */
export async function judgeGuest(scenario: GuestScenario): Promise<GuestJudgement> {
  await loadZstd();
  await learnHeads(scenario.pages);
  const play = new GuestPlay(scenario);
  return judgedRun(play.faults, async () => {
    await play.run();
    const { survivor, faults } = endOf(play, scenario.hasWatchdog);
    const all = [
      ...play.faults,
      ...faults,
      ...toldFaults(play, survivor),
      // A target whose QEMU was killed just before it was to run cannot end.
      ...leftFaults(play).filter((fault) => survivor !== 'lost' || !fault.startsWith('the target')),
      ...leftBehind(play),
      ...leftRunning(play),
      ...deafFaults(play),
      ...stayFaults(play),
      ...(await recordFaults(play)),
    ];
    const { happened, now } = play.timeline;
    return {
      faults: play.isExcused || play.qemus.some(({ runsUnnoticed }) => runsUnnoticed) ? [] : all,
      log: play.troubles.log,
      survivor,
      happened,
      endedAt: now,
    };
  });
}

/**
 * Checks that exactly one QEMU lives, in the state that its user wants, unless the one that had the guest was ended by
 * others.
 */
function endOf(play: GuestPlay, hasWatchdog: boolean): { survivor: HostName | 'lost'; faults: string[] } {
  // Without a watchdog nobody knows of a QEMU whose savkit was killed before it had written that the guest arrives.
  const record = targetRecord(play);
  const isForgotten = ({ status, process }: SimulatedQemu) =>
    !hasWatchdog && status === 'inmigrate' && !record.includes(`"pid": ${process.pid},`);
  const living = play.qemus.filter((qemu) => !qemu.process.isGone && !isForgotten(qemu));
  const faults: string[] = [];
  const [first] = living;
  if (living.length > 1) faults.push(`${living.length} QEMUs live: ${living.map(tell).join(', ')}`);
  if (!first && !mayBeLost(play)) faults.push('no QEMU has the guest');
  if (!first) return { survivor: 'lost', faults };
  const { name } = first.process.host;
  if (living.length > 1) return { survivor: name, faults };
  faults.push(...play.guest.differences(first));
  play.checkDisks(first);
  const isWanted = play.scenario.isPaused ? first.status !== 'running' : first.status === 'running';
  if (!isWanted && !usersActed(play)) faults.push(`the guest ends ${tell(first)}`);
  if (!first.hasFirstSettings) faults.push(`the settings of the QEMU at the ${name} are not put back`);
  return { survivor: name, faults };
}

/** The target's record of the last migration. */
function targetRecord(play: GuestPlay): string {
  return play.hosts.target.files.names.get(play.recordOf('target'))?.bytes.toString() ?? '';
}

function tell({ process, status }: SimulatedQemu): string {
  return `${status} at the ${process.host.name}`;
}

/** Whether the QEMU that had the guest was ended by others. */
function mayBeLost(play: GuestPlay): boolean {
  const isThere = play.guest.hasRunThere || targetRecord(play).includes('"started"');
  return play.qemus.some(({ wasEnded, process }) => wasEnded && process.host.name === (isThere ? 'target' : 'source'));
}

function usersActed({ troubles }: GuestPlay): boolean {
  return troubles.log.some((line) => /"act":"(stop|cont)"/.test(line));
}

/** Programs that note writes end with the process that has started them. */
function leftRunning({ hosts }: GuestPlay): string[] {
  const programs = Object.values(hosts).flatMap(({ running }) => [...running.values()].map(({ words }) => words[0]));
  return programs.filter((name) => name?.endsWith('write-watch')).map((name) => `${name} runs on`);
}

/** A link that is silent must not keep a guest, and a QEMU that stops it, waiting for long. */
function deafFaults({ qemus, troubles }: GuestPlay): string[] {
  const ms = Math.max(...qemus.map(({ longestFlush }) => longestFlush));
  const isNamed = ms > MOST_DEAF_MS && [...troubles.had].every((kind) => OF_LINKS.has(kind));
  return isNamed ? [`a QEMU that stops its guest was deaf for ${Math.round(ms)} ms`] : [];
}

/**
 * Checks that a guest moves where nothing went wrong. Where savkit was killed, and nothing else went wrong, it moves
 * once its user migrates it again; remains of a killed savkit in QEMU are never a reason to stay.
 */
function stayFaults({ scenario, further, troubles, report, refusal }: GuestPlay): string[] {
  const [code, why] = [report?.code ?? refusal?.code ?? '', report?.because ?? refusal?.message ?? ''];
  if (report?.outcome === 'handed-over' || TAKE_LONG.has(code)) return [];
  // Over such a link even the first frames may take longer than its time-outs.
  if (scenario.link.bytesPerMs <= SLOW) return [];
  if (troubles.log.length === 0) return [`nothing went wrong, and the guest stays: ${why}`];
  if (!further.hasBegun) return [];
  const isOwnFault = /Duplicate nodes|already in use/.test(why);
  // QEMU saves a paused guest only once.
  if (scenario.isPaused && why.includes('state postmigrate')) return [];
  return troubles.log.length > 1 && !isOwnFault
    ? []
    : [`a migration after one that was killed does not succeed: ${why}`];
}

/** Folders for sockets stay only where a process was killed, or with the QEMU that has the guest. */
function leftBehind(play: GuestPlay): string[] {
  if (play.troubles.had.has('kill') || play.troubles.had.has('crash') || play.troubles.had.has('qemu')) return [];
  return (['source', 'target'] as const).flatMap((name) => {
    const left = [...play.hosts[name].files.folders].filter((path) => path.includes('savkit-guest-'));
    const allowed = name === 'target' ? play.at(play.hosts.target).length : 0;
    return left.length > allowed ? [`the ${name} has left ${left.join(', ')} behind`] : [];
  });
}
