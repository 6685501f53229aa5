import type { Console } from '../../src/console/console.ts';
import type { PageSharing } from '../../src/pgm/sharing/page-sharing.ts';
import type { RunningMachine } from '../../src/running/running-machine.ts';
import type { MigrationStatus } from './migration-status.ts';

/** A machine that this process keeps, as control operations see it. */
export interface KeptMachine {
  readonly name: string;
  readonly running: RunningMachine;
  /** The host's page sharing; absent unless asked for. */
  readonly host?: { readonly sharing: PageSharing | undefined };
  /** The debugger's console; made for the first command. */
  console?: Console;
  /** HOST:PORT of the target, after a hand-over. */
  movedTo?: string;
  /** Status of the machine's migration under way. */
  migration?: MigrationStatus | undefined;
  /** The file to which the machine was saved when its process was told to end. */
  savedTo?: string;
  /** The machine was saved during a hand-over whose outcome was not known. */
  isUndecided?: boolean;
  /** Stops asking a target that does not answer after a hand-over. */
  stopAsking?: AbortSignal;
}

/** Called for each event while an operation runs. */
export type OnEvent = (event: string, data: object) => void;
