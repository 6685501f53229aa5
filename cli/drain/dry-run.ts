import { sideBySide } from '../process/side-by-side.ts';
import type { FoundMachine } from './find-machines.ts';
import { foretell, type MoveForecast } from './move.ts';
import { type DrainTarget, leastBusy } from './targets.ts';

/** Planned move of a machine. */
export interface PlannedMove extends FoundMachine {
  /** Target that the machine would go to at present; null if there is none. */
  to: string | null;
  forecast: MoveForecast;
}

/** A named machine that did not answer. */
export interface Unanswered {
  machine: string;
  because: string;
}

export interface DryRun {
  moves: PlannedMove[];
  unanswered: readonly Unanswered[];
  targets: { to: string; room: DrainTarget['room'] | null; because: string | null }[];
}

/**
 * Plans a drain by asking targets and machines; moves nothing.
 * @param words options of `migrate`
 * @param jobs number of machines asked at a time
 */
export async function dryRun(
  machines: readonly FoundMachine[],
  unanswered: readonly Unanswered[],
  targets: readonly DrainTarget[],
  words: readonly string[],
  jobs: number,
  signal: AbortSignal,
): Promise<DryRun> {
  await Promise.all(targets.map(askOrStop));
  const told = targets.map(({ to, room, stoppedBecause }) => ({
    to,
    room: room === undefined ? null : { ...room },
    because: stoppedBecause ?? null,
  }));
  const places = machines.map((machine) => placeFor(machine, targets));
  const forecasts = await sideBySide(machines, jobs, ({ machine }) => foretell(machine, words, signal));
  const moves = machines.map((machine, i) => ({ ...machine, to: places[i]?.to ?? null, forecast: forecasts[i] }));
  return { moves, unanswered, targets: told };
}

/** The target for a machine, whose room is reduced by the machine's needs. */
function placeFor({ bytes }: FoundMachine, targets: readonly DrainTarget[]): DrainTarget | undefined {
  const target = leastBusy(targets.filter((each) => each.stoppedBecause === undefined && each.hasRoomFor(bytes)));
  if (target) {
    target.running++;
    if (target.room) target.room = { ...target.room, bytes: target.room.bytes - bytes };
  }
  return target;
}

async function askOrStop(target: DrainTarget): Promise<void> {
  try {
    await target.ask();
  } catch (error) {
    target.stoppedBecause = (error as Error).message;
  }
}
