import type { Duplex } from 'node:stream';
import type { SavkitError } from '../../formats/errors.ts';
import type { MachineDescription } from './description.ts';
import type { PageHashes } from './page-hashes.ts';
import type { PageSet } from './page-set.ts';

// What a migration asks of a machine. Pages have one number over all regions, see PageSpace.

/** Memory, by lists of pages: what lies one after the other goes in one piece. */
export interface PageAccess {
  /**
   * Copies pages `pages[0, count)` to `target`, one after the other from `at` on, but for those that hold zeros by
   * their state.
   * @param held gets 1 for each page that was copied, else 0
   * @returns how many were copied
   */
  readPages(pages: Uint32Array, count: number, target: Uint8Array, at: number, held: Uint8Array): number;
  /** Makes `hashes` those of memory as it is, by threads of its own; else `MemoryHasher` does so. */
  hashMemory?(hashes: PageHashes): Promise<void>;
  /** Adds the pages whose hashes are not those that are known, by threads of its own; else `MemoryHasher` does so. */
  findDiffering?(known: PageHashes, into: PageSet): Promise<void>;
}

/** How disks get to the target. */
export interface DiskWay {
  /**
   * Carries what the hypervisor says into a stream to the one of the target, and back, until either ends.
   * @param disk its number in the description
   */
  carry(disk: number, stream: Duplex): void;
  /** @param done bytes that were copied @param all bytes that there are, as known so far */
  onProgress(done: number, all: number): void;
  /** Bytes per second at most. */
  maxRate(): number;
  /** Why the way to the target is broken, where it is. */
  failure(): SavkitError | undefined;
}

/** A machine that leaves: it runs until `pause`, and from `resume` on again. */
export interface SourceMachine extends PageAccess {
  /** What the machine is, without its contents. */
  readonly description: MachineDescription;
  /**
   * Copies what the machine keeps on disks to those that the target has for it, on each link anew, while it runs; from
   * then on until `pause` has resolved both stay equal. @throws SavkitError
   */
  copyDisks?(way: DiskWay): Promise<void>;
  /**
   * Begins to note writes, whoever makes them; what was noted for an earlier attempt does not count.
   * @param known hashes of what the target has, kept up with what is sent
   */
  startTracking(known: PageHashes): void | Promise<void>;
  /**
   * Writes are found by comparing all of memory with what the target has. So with the machine standing still
   * `takeDirty` misses nothing, and is this side's part of a full proof.
   */
  readonly comparesMemory?: boolean;
  /** Devices may write to memory unnoticed: only a proof of all memory at rest shows that before the hand-over. */
  readonly missesWrites?: boolean;
  /** Adds each page written since the last call, or since tracking began, and notes its writes anew. */
  takeDirty(into: PageSet): Promise<void>;
  /** Ends the tracking and gives back all that it needed. */
  stopTracking(): void | Promise<void>;
  /** Somebody else has paused it: it arrives paused. After `pause`, whether it was so before. */
  readonly isPaused: boolean;
  /**
   * To be called while it runs, just before `pause`: what makes standing still shorter.
   * @returns whether that took so long that another round is due
   * @throws SavkitError
   */
  readyToPause?(): Promise<boolean>;
  /**
   * Resolves when nothing writes to memory any more. From then on until `resume` or `release` nobody else can start it,
   * or `stillStands` tells.
   */
  pause(): Promise<void>;
  /** Takes `pause` back: it goes on if it ran before. @throws SavkitError where it stands still for good */
  resume(): void | Promise<void>;
  /** Where another process runs it: whether that has ended, so that the machine runs nowhere. */
  hasEnded?(): Promise<boolean>;
  /** Where others can start the machine. @throws SavkitError when somebody has done so since `pause` */
  stillStands?(): Promise<void>;
  /** Slows the guest: the share of time that it may use, in (0, 1]. */
  throttle(share: number): void;
  /** While it runs: what the target needs to make an empty machine like this one. */
  outline(): Promise<Uint8Array>;
  /** What standing still takes besides pages and hashing, in ms, where it is known; else the outline's time counts. */
  readonly stopMs?: number;
  /** After `pause`: all but pages' contents: registers, devices, states of pages, what executes. */
  saveRest(): Promise<Uint8Array>;
  /** The machine lives elsewhere from now on: never runs here again. */
  release(): void | Promise<void>;
}

/** A machine that arrives: it does not run before `start`. */
export interface TargetMachine extends PageAccess {
  /** Its memory holds something already, from an older state; else zeros only. */
  readonly isSeeded: boolean;
  /** It runs once started; else it is kept in a file here. */
  readonly runs: boolean;
  /** Where another process holds it: resolves, with the reason, when that has ended. */
  readonly ended?: Promise<SavkitError>;
  /** Gives pages `pages[0, count)` the contents that stand one after the other in `bytes` from `at` on. */
  writePages(pages: Uint32Array, count: number, bytes: Uint8Array, at: number): void;
  /** Makes a page zeros. @param page number in the machine's page space */
  zeroPage(page: number): void;
  /**
   * Readies some memory for pages that will come, for about a millisecond; called while there is nothing else to do.
   * @returns whether that helps again
   */
  readyMemory?(): boolean;
  /**
   * Where the hypervisor takes what a disk holds, for one that copies its disks.
   * @param disk its number in the description
   * @throws SavkitError
   */
  openDisk?(disk: number): Promise<Duplex>;
  /** @throws SavkitError when it does not fit the machine */
  loadRest(rest: Uint8Array): Promise<void>;
  /** Runs the machine: it is this side's now. @throws SavkitError when it does not run; may be called again then */
  start(): void | Promise<void>;
  /** Gives everything back; it never runs. */
  discard(): void;
}

/** Makes the machine that a description asks for, or says why not. */
export interface TargetHost<M extends TargetMachine = TargetMachine> {
  /** Pages that a machine may have here. */
  readonly maxPages: number;
  /**
   * A machine whose pages are those of the description; nothing of it has been compared but its size.
   * @param outline what the source's `outline` gave; borrowed
   * @throws SavkitError that goes to the source in words
   */
  create(description: MachineDescription, outline: Uint8Array): Promise<M>;
}
