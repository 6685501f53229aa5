import { SavkitError } from '../../formats/errors.ts';
import { readRecord } from '../hand-over/decision-record.ts';
import { loadZstd } from '../pages/zstd.ts';
import type { ProofMode } from '../policy/choose-proof.ts';
import { judgedRun } from './judged-run.ts';
import { MachinePlay } from './machine-play.ts';
import type { Play } from './play.ts';
import type { Incident, Scenario } from './scenario.ts';
import { RECORDS } from './world/simulated-process.ts';
import type { HostName } from './world/simulated-socket.ts';

/** Incidents that harm links alone, or nobody. */
export const OF_LINKS: ReadonlySet<Incident['kind']> = new Set(['cut', 'part', 'clock', 'copy']);
/** Reasons for which a machine may stay after such incidents. */
const REASONS_OF_LINKS: ReadonlySet<string> = new Set([
  ...['link-lost', 'peer-silent', 'ETIMEDOUT', 'ECONNREFUSED', 'ECONNRESET'],
  // These are possible also after the target has given up a machine whose link was lost.
  ...['time-limit', 'too-many-stops', 'too-many-rounds', 'is-over'],
]);

/** Result of a simulated run. */
export interface Judgement {
  /** Violations; empty where all is well. */
  faults: string[];
  /** Incidents that happened, with their times. */
  log: string[];
  /** Host that has the machine in the end. */
  survivor: HostName | 'lost';
  /** Proof of the source's last migration, if that migration reached a proof. */
  proof?: ProofMode | undefined;
  /** Number of events; equal in two runs of one scenario. */
  happened: number;
  endedAt: number;
}

/** Plays a scenario, and checks the result. */
export async function judge(scenario: Scenario): Promise<Judgement> {
  // The library is loaded from the real disk, before the simulated disk takes its place.
  await loadZstd();
  const play = new MachinePlay(scenario);
  return judgedRun(play.faults, async () => {
    await play.run();
    const survivor = survivorOf(play);
    const faults = [
      ...play.faults,
      ...lossFaults(play, survivor),
      ...toldFaults(play, survivor),
      ...leftFaults(play),
      ...(await recordFaults(play)),
    ];
    const { happened, now } = play.timeline;
    return {
      faults: forgiven(play, faults),
      log: play.troubles.log,
      survivor,
      proof: play.report?.proof?.mode,
      happened,
      endedAt: now,
    };
  });
}

/** Host of the one machine that has the guest. */
export function survivorOf({ guest }: Play): HostName | 'lost' {
  const owners = [...guest.owners].filter(({ process }) => !process.isGone);
  return owners.length === 1 ? owners[0].process.host.name : 'lost';
}

/** A process that is killed after it has taken over the machine loses it; its safe file is left. */
function lossFaults(play: MachinePlay, survivor: HostName | 'lost'): string[] {
  const { operators, guest, scenario } = play;
  const { had } = play.troubles;
  const mayBeLost = had.has('kill') || had.has('crash');
  const isTakenAlong =
    mayBeLost && (guest.hasRunThere || (operators.told[0] === 'target' && operators.hasEnded('target')));
  if (survivor !== 'lost') return [];
  if (!isTakenAlong) return had.has('lie') ? [] : ['nobody has the machine'];
  return scenario.hasSafeFile && !play.safeFile() ? ['the safe file is not there'] : [];
}

/** Checks that all reports about the machine are true. */
export function toldFaults(play: Play, survivor: HostName | 'lost'): string[] {
  const { report, refusal, operators } = play;
  const { had } = play.troubles;
  const faults: string[] = [];
  const told: [string, HostName | undefined][] = [
    ...operators.told.map((name): [string, HostName] => ['an operator', name]),
    ['the source', report?.outcome === 'handed-over' ? 'target' : report?.outcome === 'kept' ? 'source' : undefined],
    ['who started it', refusal ? 'source' : undefined],
  ];
  for (const [who, name] of told)
    if (name !== undefined && survivor !== 'lost' && name !== survivor)
      faults.push(`${who} was told that the ${name} has the machine, and the ${survivor} has it`);
  const { proof } = report ?? {};
  const lost = (proof?.lostPages ?? 0) + (proof?.afterwards?.lostPages ?? 0);
  // Without simulated tracking faults, no write may be lost.
  if (lost > 0 && play.scenario.missedWrites === 0 && !had.has('lie')) faults.push('writes of the guest were lost');
  // Incident `lie`: the network drops a frame without breaking the link. Real networks do not, so endless waits are
  // allowed then.
  if (had.has('lie')) return faults;
  if (!play.isSourceDone) faults.push('the source comes to no end');
  if (play.receiver?.hasPromised && !play.target?.isGone) faults.push('the target comes to no end');
  if (report && report.outcome !== 'handed-over' && report.because === '') faults.push('nobody is told why');
  const code = report?.code ?? refusal?.code;
  if (
    code !== undefined &&
    code !== null &&
    !REASONS_OF_LINKS.has(code) &&
    [...had].every((kind) => OF_LINKS.has(kind))
  )
    faults.push(`only links were in trouble, and the machine stays because of ${code}`);
  return faults;
}

/** Checks that nothing stays open, and no temporary file is left. */
export function leftFaults(play: Play): string[] {
  const faults: string[] = [];
  for (const name of ['source', 'target'] as const) {
    const process = play[name];
    if (process && !process.isGone) {
      for (const path of process.files.openFiles) faults.push(`the ${name} has left ${path} open`);
      // A source that asks for ever after a changed frame has a timer, or a query under way.
      const mayWait = play.troubles.had.has('lie') && !play.isSourceDone;
      if (process.sockets.size > 0 && !mayWait) faults.push(`the ${name} has ${process.sockets.size} connections open`);
      if (process.timers.size > 0 && !mayWait) faults.push(`the ${name} waits for ${process.timers.size} timers`);
    }
    if (play.troubles.had.has('kill') || play.troubles.had.has('crash') || play.troubles.had.has('disk')) continue;
    for (const path of play.hosts[name].files.names.keys())
      if (/\.(?:part|lock)$/.test(path)) faults.push(`the ${name} has left ${path} behind`);
  }
  return faults;
}

/** Checks that every record can be read. */
export async function recordFaults(play: Play): Promise<string[]> {
  const faults: string[] = [];
  for (const name of ['source', 'target'] as const) {
    const paths = [...play.hosts[name].files.names.keys()].filter(
      (path) => path.startsWith(RECORDS) && path.endsWith('.json'),
    );
    const process = play.hosts[name].start();
    for (const path of paths) {
      let isRead = false;
      play.timeline.add(0, process, () => {
        readRecord(path).then(
          () => {
            isRead = true;
          },
          (error) => {
            isRead = true;
            faults.push(`${path}: ${error instanceof SavkitError ? error.message : (error as Error).stack}`);
          },
        );
      });
      await play.timeline.run(() => isRead, 1000);
    }
    process.end('killed');
  }
  return faults;
}

/** An audit lets a missed write pass and reports it afterwards, unless the source has ended by then. */
function forgiven({ scenario, report, source }: MachinePlay, faults: string[]): string[] {
  const isNamed = (report?.proof?.afterwards?.lostPages ?? 0) > 0 || source?.isGone === true;
  const isAudited = report ? report.proof?.mode === 'audited' : scenario.proof !== 'full' && !scenario.compares;
  if (scenario.missedWrites === 0 || !isNamed || !isAudited) return faults;
  return faults.filter((fault) => !/^page \d/.test(fault));
}
