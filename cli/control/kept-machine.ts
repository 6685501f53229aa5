import type { Console } from '../../src/console/console.ts';
import type { PageSharing } from '../../src/pgm/sharing/page-sharing.ts';
import type { RunningMachine } from '../../src/running/running-machine.ts';
import type { MigrationStatus } from './migration-status.ts';

/** A machine that is kept, as its operations see it. */
export interface KeptMachine {
  readonly name: string;
  readonly running: RunningMachine;
  /** What its host does for it; absent where nothing was asked for. */
  readonly host?: { readonly sharing: PageSharing | undefined };
  /** Answers the debugger's commands; made by the first one. */
  console?: Console;
  /** HOST:PORT of where it lives now, once it was handed over. */
  movedTo?: string;
  /** Its migration, while that is under way. */
  migration?: MigrationStatus | undefined;
  /** The file that it was saved to when its process was told to end. */
  savedTo?: string;
  /** It was handed over, but who may run it was not known when it was saved. */
  isUndecided?: boolean;
  /** Ends the asking of a target that does not answer after a hand-over. */
  stopAsking?: AbortSignal;
}

/** Told while an operation runs. */
export type OnEvent = (event: string, data: object) => void;
