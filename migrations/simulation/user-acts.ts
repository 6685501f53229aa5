import { SavkitError } from '../../formats/errors.ts';
import type { MachineEvent } from '../../src/machine/machine-states.ts';
import type { RunningMachine } from '../../src/running/running-machine.ts';

/** Acts of a user on a machine. */
export type UserAct = Extract<MachineEvent, 'suspend' | 'suspend-ext' | 'resume' | 'reset' | 'debug' | 'power-off'>;

/** Carries out an act of a user. @returns false if the state of the machine does not allow it */
export function doAct(running: RunningMachine, act: UserAct): boolean {
  try {
    if (act === 'reset') running.reset();
    else running.dispatch(act);
    return true;
  } catch (error) {
    if (!(error instanceof SavkitError)) throw error;
    return false;
  }
}
