import { SavkitError } from '../../formats/errors.ts';
import type { MachineEvent } from '../../src/machine/machine-states.ts';
import type { RunningMachine } from '../../src/running/running-machine.ts';

/** Acts of a user on a machine. */
export type UserAct = Extract<MachineEvent, 'suspend' | 'suspend-ext' | 'resume' | 'reset' | 'debug' | 'power-off'>;

/** A user does something with a machine. @returns whether it let that be done */
export function isDone(running: RunningMachine, act: UserAct): boolean {
  try {
    if (act === 'reset') running.reset();
    else running.dispatch(act);
    return true;
  } catch (error) {
    if (!(error instanceof SavkitError)) throw error;
    return false;
  }
}
