import type { RunningMachine } from '../../src/running/running-machine.ts';

/** A machine that is kept, as its operations see it. */
export interface KeptMachine {
  readonly name: string;
  readonly running: RunningMachine;
  /** HOST:PORT of where it lives now, once it was handed over. */
  movedTo?: string;
}

/** Told while an operation runs. */
export type OnEvent = (event: string, data: object) => void;
