import type { SavkitError } from '../../formats/errors.ts';
import { sideBySide } from '../process/side-by-side.ts';
import type { FoundMachine } from './find-machines.ts';
import { foretell, type MoveForecast } from './move.ts';
import { type DrainTarget, roomiest } from './targets.ts';

/** What a drain would do with a machine. */
export interface PlannedMove extends FoundMachine {
  /** Where it would go as things stand; null: nowhere. */
  to: string | null;
  forecast: MoveForecast;
}

/** A machine that was named, and about which nothing is known. */
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
 * Asks targets and machines, and moves nothing.
 * @param words options of `migrate`
 * @param jobs machines that are asked at a time
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

/** The target that a machine would go to; what it takes is counted there. */
function placeFor({ bytes }: FoundMachine, targets: readonly DrainTarget[]): DrainTarget | undefined {
  const target = roomiest(targets.filter((each) => each.stoppedBecause === undefined && each.hasRoomFor(bytes)));
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
    target.stoppedBecause = (error as SavkitError).message;
  }
}
