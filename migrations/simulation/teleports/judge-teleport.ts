import { MIB } from '../../../formats/sizes.ts';
import { enterWorld, REAL_WORLD } from '../../../formats/world/world.ts';
import { emptyMachine } from '../../../src/running/empty-machine.ts';
import { type Standing, savedFileFaults } from '../saved-file.ts';
import { OLD, PATH, type SourceEnd, type TargetEnd, TeleportPlay } from './teleport-play.ts';
import type { TeleportScenario } from './teleport-scenario.ts';

/** What a run has come to. */
export interface TeleportJudgement {
  /** What must not be; empty where all is well. */
  faults: string[];
  /** The troubles that came about, and when. */
  log: string[];
  /** How each try of the source has ended; the last one is missing where its process ended. */
  sourceEnds: SourceEnd[];
  targetEnds: TargetEnd[];
  /** Things that have happened, and when the last one did: equal in two runs of one scenario. */
  happened: number;
  endedAt: number;
}

/** Plays a scenario, and looks whether there is one machine, and all that was told is so. */
export async function judgeTeleport(scenario: TeleportScenario): Promise<TeleportJudgement> {
  const play = new TeleportPlay(scenario, await emptyMachine(scenario.ramMib * MIB));
  const unhandled = (error: unknown) => void play.faults.push(`nobody takes: ${(error as Error)?.stack ?? error}`);
  process.on('unhandledRejection', unhandled);
  try {
    await play.run();
  } finally {
    enterWorld(REAL_WORLD);
    process.off('unhandledRejection', unhandled);
  }
  const { faults, sourceEnds, targetEnds, timeline, troubles } = play;
  faults.push(...placeFaults(play), ...(await fileFaults(play)), ...(await crashFaults(play)));
  return { faults, log: troubles.log, sourceEnds, targetEnds, happened: timeline.happened, endedAt: timeline.now };
}

/** Whether a machine has come into the file. */
function isNew(file: Buffer | undefined): file is Buffer {
  return file !== undefined && file.toString('latin1') !== OLD;
}

/** The machine is in one place, and who was told something was told the truth. */
function placeFaults(play: TeleportPlay): string[] {
  const { file, sourceEnds, targetEnds, scenario, isSourceGone, troubles } = play;
  const [source, target] = [isSourceGone ? 'gone' : sourceEnds.at(-1), targetEnds.at(-1)];
  const faults: string[] = [];
  const told = `the source was told ${source}, the target ${target}`;
  if (source === 'handed-over' && !isNew(file)) faults.push(`the machine is nowhere: ${told}`);
  if (source !== 'handed-over' && target === 'handed-over' && source !== 'hand-over-unknown' && source !== 'gone')
    faults.push(`the machine is in two places: ${told}`);
  if (play.runsAtSource && isNew(file) && !scenario.declines)
    faults.push(`the machine runs, and is in the file: ${told}`);
  if ((target === 'handed-over' || target === 'declined') && !isNew(file)) faults.push(`there is no file: ${told}`);
  if (troubles.had.size === 0 && source !== (scenario.declines ? 'refused-by-target' : 'handed-over'))
    faults.push(`the machine did not move, for no reason: ${told}`);
  return faults;
}

/** A file that has come is the machine as it was sent. */
async function fileFaults({ file, sent, scenario }: TeleportPlay): Promise<string[]> {
  if (!isNew(file)) return file === undefined && scenario.replaces ? ['the older file is gone'] : [];
  return sentFaults(file, sent, scenario);
}

/** What was told to be there is there after a crash as well. */
async function crashFaults({ hosts, random, sourceEnds, targetEnds, sent, scenario }: TeleportPlay): Promise<string[]> {
  const isTold = sourceEnds.at(-1) === 'handed-over' || ['handed-over', 'declined'].includes(targetEnds.at(-1) ?? '');
  if (!isTold) return [];
  hosts.target.files.crash(random);
  const file = hosts.target.files.names.get(PATH)?.bytes;
  if (!isNew(file)) return ['after a crash of the target the machine is gone'];
  return (await sentFaults(file, sent, scenario)).map((fault) => `after a crash of the target ${fault}`);
}

/** A copy may be the one of an earlier try, whose source did not hear that it arrived. */
async function sentFaults(file: Buffer, sent: readonly Standing[], { declines }: TeleportScenario): Promise<string[]> {
  let faults = ['there is a file of nothing that was sent'];
  for (const standing of declines ? sent : sent.slice(-1)) {
    faults = await savedFileFaults(file, standing);
    if (faults.length === 0) break;
  }
  return faults;
}
