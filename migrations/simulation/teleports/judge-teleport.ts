import { MIB } from '../../../formats/sizes.ts';
import { emptyMachine } from '../../../src/running/empty-machine.ts';
import { judgedRun } from '../judged-run.ts';
import { type Standing, savedFileFaults } from '../saved-file.ts';
import { TeleportPlay } from './teleport-play.ts';
import type { TeleportScenario } from './teleport-scenario.ts';
import type { SourceEnd } from './teleport-source.ts';
import type { TargetEnd } from './teleport-target.ts';

/** Judgement of a run. */
export interface TeleportJudgement {
  /** Violations of the rules; empty where all is well. */
  faults: string[];
  /** Troubles that happened, with their times. */
  log: string[];
  /** Outcome of each try of the source; the last one is missing where its process ended. */
  sourceEnds: SourceEnd[];
  targetEnds: TargetEnd[];
  /** Number of events, and time of the last one: equal in two runs of one scenario. */
  happened: number;
  endedAt: number;
}

/** Plays a scenario, and checks that there is exactly one machine, and that all reports are true. */
export async function judgeTeleport(scenario: TeleportScenario): Promise<TeleportJudgement> {
  const play = new TeleportPlay(scenario, await emptyMachine(scenario.ramMib * MIB));
  await judgedRun(play.faults, () => play.run());
  const { faults, source, target, timeline, troubles } = play;
  faults.push(...placeFaults(play), ...(await fileFaults(play)), ...(await crashFaults(play)));
  const { happened, now } = timeline;
  return { faults, log: troubles.log, sourceEnds: source.ends, targetEnds: target.ends, happened, endedAt: now };
}

/** Checks that the machine is in one place, and that all reports are true. */
function placeFaults({ source, target, scenario, troubles, runsAtSource }: TeleportPlay): string[] {
  const ends = [source.process.isGone ? 'gone' : source.ends.at(-1), target.ends.at(-1)];
  const faults: string[] = [];
  const told = `the source was told ${ends[0]}, the target ${ends[1]}`;
  const hasFile = target.file !== undefined;
  if (ends[0] === 'handed-over' && !hasFile) faults.push(`the machine is nowhere: ${told}`);
  if (ends[1] === 'handed-over' && !['handed-over', 'hand-over-unknown', 'gone'].includes(ends[0] ?? ''))
    faults.push(`the machine is in two places: ${told}`);
  if (runsAtSource && hasFile && !scenario.declines) faults.push(`the machine runs, and is in the file: ${told}`);
  if (hasBrought(ends[1]) && !hasFile) faults.push(`there is no file: ${told}`);
  if (target.isOldGone) faults.push('the older file is gone');
  if (troubles.had.size === 0 && ends[0] !== (scenario.declines ? 'refused-by-target' : 'handed-over'))
    faults.push(`the machine did not move, for no reason: ${told}`);
  return faults;
}

function hasBrought(end: TargetEnd | undefined): boolean {
  return end === 'handed-over' || end === 'declined';
}

/** Checks that a file at the target is the machine as it was sent. */
async function fileFaults({ source, target, scenario }: TeleportPlay): Promise<string[]> {
  return target.file ? sentFaults(target.file, source.sent, scenario) : [];
}

/** Checks that a file that was reported as written survives a crash. */
async function crashFaults({ hosts, random, source, target, scenario }: TeleportPlay): Promise<string[]> {
  if (source.ends.at(-1) !== 'handed-over' && !hasBrought(target.ends.at(-1))) return [];
  hosts.target.files.crash(random);
  if (!target.file) return ['after a crash of the target the machine is gone'];
  const faults = await sentFaults(target.file, source.sent, scenario);
  return faults.map((fault) => `after a crash of the target ${fault}`);
}

/** Compares a file with what was sent; a copy may be from an earlier try, whose source did not hear that it arrived. */
async function sentFaults(file: Buffer, sent: readonly Standing[], { declines }: TeleportScenario): Promise<string[]> {
  let faults = ['there is a file of nothing that was sent'];
  for (const standing of declines ? sent : sent.slice(-1)) {
    faults = await savedFileFaults(file, standing);
    if (faults.length === 0) break;
  }
  return faults;
}
