import type { RunningMachine } from '../../src/running/running-machine.ts';

/** A machine that is kept, as its operations see it. */
export interface KeptMachine {
  readonly name: string;
  readonly running: RunningMachine;
  /** HOST:PORT of where it lives now, once it was handed over. */
  movedTo?: string;
  /** The file that it was saved to when its process was told to end. */
  savedTo?: string;
  /** It was handed over, but who may run it was not known when it was saved. */
  isUndecided?: boolean;
  /** Ends the asking of a target that does not answer after a hand-over. */
  stopAsking?: AbortSignal;
}

/** Told while an operation runs. */
export type OnEvent = (event: string, data: object) => void;
