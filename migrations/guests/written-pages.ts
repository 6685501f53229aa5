import { EnvironmentError, SavkitError } from '../../formats/errors.ts';
import { PAGE_SIZE } from '../../formats/sizes.ts';
import type { PageHashes } from '../machine/page-hashes.ts';
import type { PageSet } from '../machine/page-set.ts';
import type { GuestFacts } from './guest-facts.ts';
import type { MemoryScan } from './memory/memory-scan.ts';
import { WriteWatch } from './memory/write-watch.ts';

/** Options of finding written pages. */
export interface TrackingOptions {
  /** Have the kernel note writes, if it can; else all memory is compared. */
  notesWrites?: boolean;
  /** Called when the kernel cannot note writes, or no longer: memory is compared from then on. */
  onWatchLost?: (why: SavkitError) => void;
}

/** Finds the pages that a guest has written: the kernel notes them, or all memory is compared with known hashes. */
export class WrittenPages {
  readonly #facts: GuestFacts;
  readonly #scan: MemoryScan;
  readonly #options: TrackingOptions;
  #known: PageHashes | undefined;
  /** Set while the kernel notes writes. */
  #watch: WriteWatch | undefined;

  constructor(facts: GuestFacts, scan: MemoryScan, options: TrackingOptions) {
    this.#facts = facts;
    this.#scan = scan;
    this.#options = options;
  }

  get comparesMemory(): boolean {
    return this.#watch === undefined;
  }

  /** The kernel notes a page when direct I/O pins it, not when the data read arrives in it. */
  get missesWrites(): boolean {
    return this.#watch !== undefined && this.#facts.disks.some(({ isDirect }) => isDirect);
  }

  /** @param known hashes of the memory that the target has; `take` keeps them up to date */
  async start(known: PageHashes): Promise<void> {
    this.#known = known;
    if (this.#options.notesWrites) this.#watch = await this.#startWatch();
  }

  /** Adds the pages written since the last call, or since the start. */
  async take(into: PageSet): Promise<void> {
    if (!this.#known) return;
    try {
      if (this.#watch) return await this.#watch.take(into);
    } catch (error) {
      if (!(error instanceof SavkitError)) throw error;
      this.#endWatch();
      this.#options.onWatchLost?.(error);
    }
    // If all pages are sent anyway, nothing needs to be searched.
    if (into.size < into.pageCount) await this.#scan.find(this.#known, into);
  }

  stop(): void {
    this.#known = undefined;
    this.#endWatch();
  }

  /** @returns undefined if that is not possible */
  async #startWatch(): Promise<WriteWatch | undefined> {
    const { process, backends } = this.#facts;
    const pieces = backends.flatMap(({ hostAddress: address, bytes }) =>
      address === undefined ? [] : [{ address, pages: bytes / PAGE_SIZE }],
    );
    try {
      if (process === undefined || pieces.length < backends.length)
        throw new EnvironmentError(
          'no-write-watch',
          'Cannot have the kernel note writes: QEMU does not tell where the memory is',
        );
      return await WriteWatch.start(process.pid, pieces);
    } catch (error) {
      if (!(error instanceof SavkitError)) throw error;
      this.#options.onWatchLost?.(error);
      return undefined;
    }
  }

  #endWatch(): void {
    this.#watch?.close();
    this.#watch = undefined;
  }
}
