import { MIB } from '../../../formats/sizes.ts';
import { emptyMachine } from '../../../src/running/empty-machine.ts';
import { judgedRun } from '../judged-run.ts';
import { savedFileFaults } from '../saved-file.ts';
import { SavePlay } from './save-play.ts';
import type { SaveScenario } from './save-scenario.ts';

/** Judgement of a run. */
export interface SaveJudgement {
  /** Violations of the rules; empty where all is well. */
  faults: string[];
  /** Troubles that happened, with their times. */
  log: string[];
  /** Outcome of each save: `saved`, or the code of its error; the last one is missing where its process ended. */
  ends: string[];
  /** Number of events, and time of the last one: equal in two runs of one scenario. */
  happened: number;
  endedAt: number;
}

/** Plays a scenario, and checks the result. */
export async function judgeSave(scenario: SaveScenario): Promise<SaveJudgement> {
  const machine = await emptyMachine(scenario.ramMib * MIB);
  const play = new SavePlay(scenario, machine);
  await judgedRun(play.faults, () => play.run());
  const { faults, log, ends, timeline } = play;
  faults.push(...(await fileFaults(play)));
  return { faults, log, ends, happened: timeline.happened, endedAt: timeline.now };
}

/** Checks that the file is whole, and the one that the last save reported or was writing when its process ended. */
async function fileFaults({ file, durable, coming }: SavePlay): Promise<string[]> {
  if (!file) return durable.includes(undefined) ? [] : ['the file of a save is gone'];
  const saved = durable.find((one) => one?.bytes.equals(file));
  if (saved) return savedFileFaults(saved.bytes, saved);
  return coming ? savedFileFaults(file, coming) : ['the file is not one that was written'];
}
