import type { Duplex } from 'node:stream';
import type { SavkitError } from '../../formats/errors.ts';
import type { MachineDescription } from './description.ts';
import type { PageHashes } from './page-hashes.ts';
import type { PageSet } from './page-set.ts';

// Interfaces that migrations use of a machine. Pages are numbered through all regions, see PageSpace.

/** Access to memory by lists of pages; neighbouring pages are copied in one piece. */
export interface PageAccess {
  /**
   * Copies pages `pages[0, count)` to `target`, one after the other from `at` on, except pages whose state says that
   * they are zero.
   * @param held gets 1 for each page that was copied, else 0
   * @returns number of copied pages
   */
  readPages(pages: Uint32Array, count: number, target: Uint8Array, at: number, held: Uint8Array): number;
  /**
   * Sets `hashes` to the hashes of present memory, by threads of its own. Without this method, `MemoryHasher` does so.
   */
  hashMemory?(hashes: PageHashes): Promise<void>;
  /**
   * Adds the pages whose hashes differ from the known ones, by threads of its own. Without this method, `MemoryHasher`
   * does so.
   */
  findDiffering?(known: PageHashes, into: PageSet): Promise<void>;
}

/** Way of the disks to the target. */
export interface DiskWay {
  /**
   * Relays bytes between this hypervisor's stream and that of the target's hypervisor, in both directions, until either
   * ends.
   * @param disk number of the disk in the description
   */
  carry(disk: number, stream: Duplex): void;
  /** @param done bytes copied @param all bytes in total, as known so far */
  onProgress(done: number, all: number): void;
  /** Bytes per second at most. */
  maxRate(): number;
  /** The reason if the way to the target is broken. */
  failure(): SavkitError | undefined;
}

/** A machine that leaves: it runs until `pause`, and again after `resume`. */
export interface SourceMachine extends PageAccess {
  /** Description of the machine, without its contents. */
  readonly description: MachineDescription;
  /**
   * Copies the machine's disks to the target's while the machine runs, on each link anew. Afterwards both copies stay
   * equal until `pause` has resolved. @throws SavkitError
   */
  copyDisks?(way: DiskWay): Promise<void>;
  /**
   * Begins to note all writes; notes of an earlier attempt are dropped.
   * @param known hashes of the target's pages, updated with each page sent
   */
  startTracking(known: PageHashes): void | Promise<void>;
  /**
   * Writes are found by comparing all memory with the target's hashes. So `takeDirty` misses nothing while the machine
   * stands still, and is this side's part of a full proof.
   */
  readonly comparesMemory?: boolean;
  /**
   * Devices may write to memory unnoticed: only a proof of all memory at rest finds such writes before the hand-over.
   */
  readonly missesWrites?: boolean;
  /** Adds each page written since the last call, or since tracking began, and clears its note. */
  takeDirty(into: PageSet): Promise<void>;
  /** Ends the tracking and frees its resources. */
  stopTracking(): void | Promise<void>;
  /** Somebody else has paused the machine, so it arrives paused. Not changed by `pause`. */
  readonly isPaused: boolean;
  /**
   * Work that shortens the downtime; to be called just before `pause`, while the machine runs.
   * @returns whether the work took so long that another round is due
   * @throws SavkitError
   */
  readyToPause?(): Promise<boolean>;
  /**
   * Resolves when nothing writes to memory any more. Until `resume` or `release`, either nobody else can start the
   * machine, or `stillStands` reports such a start.
   */
  pause(): Promise<void>;
  /** Undoes `pause`: the machine goes on if it ran before. @throws SavkitError if the machine stands still for good */
  resume(): void | Promise<void>;
  /** For a machine that another process runs: whether that process has ended, so that the machine runs nowhere. */
  hasEnded?(): Promise<boolean>;
  /** For a machine that others can start. @throws SavkitError if somebody has started it since `pause` */
  stillStands?(): Promise<void>;
  /** Slows the guest down to a share of its time, in (0, 1]. */
  throttle(share: number): void;
  /** Data from which the target makes an empty machine like this one; taken while the machine runs. */
  outline(): Promise<Uint8Array>;
  /** Downtime besides pages and hashing, in ms, if known; else the time that `outline` takes counts. */
  readonly stopMs?: number;
  /** After `pause`: all but the contents of pages: registers, devices, states of pages, the running program. */
  saveRest(): Promise<Uint8Array>;
  /** Gives up the machine, which lives elsewhere from now on and never runs here again. */
  release(): void | Promise<void>;
}

/** A machine that arrives: it does not run before `start`. */
export interface TargetMachine extends PageAccess {
  /** Memory already holds contents of an older state; else zeros only. */
  readonly isSeeded: boolean;
  /** The machine runs once started; else it is kept in a file here. */
  readonly runs: boolean;
  /** For a machine that another process holds: resolves with the reason when that process has ended. */
  readonly ended?: Promise<SavkitError>;
  /** Sets pages `pages[0, count)` to the contents that follow each other in `bytes` from `at` on. */
  writePages(pages: Uint32Array, count: number, bytes: Uint8Array, at: number): void;
  /** Fills a page with zeros. @param page number in the machine's page space */
  zeroPage(page: number): void;
  /**
   * Prepares memory for later pages, for about a millisecond; called in idle moments.
   * @returns whether another call would help
   */
  readyMemory?(): boolean;
  /**
   * Opens the stream on which the hypervisor takes the contents of a disk, for a machine whose disks are copied.
   * @param disk number of the disk in the description
   * @throws SavkitError
   */
  openDisk?(disk: number): Promise<Duplex>;
  /**
   * Called when the source goes on over another link; the machine may have been whole here.
   * @throws SavkitError if the machine cannot arrive once more
   */
  arriveAgain?(): void;
  /** Loads the result of `saveRest`. @throws SavkitError when that does not fit the machine */
  loadRest(rest: Uint8Array): Promise<void>;
  /**
   * Runs the machine, which belongs to this side now. @throws SavkitError when it does not run; may be called again
   * then
   */
  start(): void | Promise<void>;
  /** Frees all resources; the machine never runs. */
  discard(): void;
}

/** Makes machines by their descriptions, or throws the reason for a refusal. */
export interface TargetHost<M extends TargetMachine = TargetMachine> {
  /** Pages that a machine may have here. */
  readonly maxPages: number;
  /**
   * Makes a machine with the pages of the description, of which only the size has been checked.
   * @param outline result of the source's `outline`; borrowed
   * @throws SavkitError whose message goes to the source
   */
  create(description: MachineDescription, outline: Uint8Array): Promise<M>;
}
