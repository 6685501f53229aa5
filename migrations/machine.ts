import type { MachineDescription } from './page-space.ts';
import type { PageSet } from './pages/page-set.ts';

// What a migration asks of a machine. Pages have one number over all regions, see PageSpace.

/** Memory, page by page. */
export interface PageAccess {
  /** Copies a page to `target[at, at + 4096)`. @returns false where the page holds zeros by its state: nothing was copied */
  readPage(page: number, target: Uint8Array, at: number): boolean;
}

/** A machine that leaves: it runs until `pause`, and from `resume` on again. */
export interface SourceMachine extends PageAccess {
  readonly description: MachineDescription;
  /** Begins to note writes, whoever makes them; what was noted for an earlier attempt does not count. */
  startTracking(): void;
  /** Adds each page written since the last call, or since tracking began, and notes its writes anew. */
  takeDirty(into: PageSet): Promise<void>;
  /** Ends the tracking and gives back all that it needed. */
  stopTracking(): void;
  /** Somebody else has paused it: it arrives paused. After `pause`, whether it was so before. */
  readonly isPaused: boolean;
  /** Resolves when nothing writes to memory any more. From then on until `resume` or `release` nobody else can start it. */
  pause(): Promise<void>;
  /** Takes `pause` back: it goes on if it ran before. */
  resume(): void;
  /** Slows the guest: the share of time that it may use, in (0, 1]. */
  throttle(share: number): void;
  /** All but pages' contents: registers, devices, states of pages, what executes. While it runs, only what it is made of has to be right. */
  saveRest(): Promise<Uint8Array>;
  /** The machine lives elsewhere from now on: never runs here again. */
  release(): void;
}

/** A machine that arrives: it does not run before `start`. */
export interface TargetMachine extends PageAccess {
  /** Its memory holds something already, from an older state; else zeros only. */
  readonly isSeeded: boolean;
  /** Gives a page the content `bytes[at, at + 4096)`. */
  writePage(page: number, bytes: Uint8Array, at: number): void;
  zeroPage(page: number): void;
  /** @throws SavkitError when it does not fit the machine */
  loadRest(rest: Uint8Array): Promise<void>;
  start(): void;
  /** Gives everything back; it never runs. */
  discard(): void;
}

/** Makes the machine that a description asks for, or says why not. */
export interface TargetHost {
  /** Pages that a machine may have here. */
  readonly maxPages: number;
  /**
   * A machine whose pages are those of the description; nothing of it has been compared but its size.
   * @param rest what the source's `saveRest` gave; borrowed
   * @throws SavkitError that goes to the source in words
   */
  create(description: MachineDescription, rest: Uint8Array): Promise<TargetMachine>;
}
