import { type Pass, UsageError } from '../../formats/errors.ts';
import { isMmio2, isRam, type PageBatch } from '../../formats/pgm/page-batch.ts';
import type { PageSink } from '../../formats/pgm/page-sink.ts';
import { clock } from '../../formats/world/waiting.ts';
import type { GuestMemory } from '../pgm/guest-memory.ts';
import { type LiveCounts, noCounts } from './live-counters.ts';
import { Mmio2Tracker } from './mmio2-tracker.ts';
import { newTakenBatch, PageTaker } from './page-taker.ts';
import { RamTracker } from './ram-tracker.ts';
import { RomTracker } from './rom-tracker.ts';
import { SPEED_PASS } from './vote.ts';

/** Choice of pages for a pass. */
export interface PassOptions {
  /**
   * Takes also RAM that the last scan has just armed, and that may change soon; VirtualBox waits for one quiet scan.
   */
  eager?: boolean;
  /**
   * false: the batches only name pages, all that are dirty, however often the guest writes to them. The next scan
   * reports pages that are written after they were read.
   */
  contents?: boolean;
}

/** The part of a batch that names its pages. */
export interface PageNames {
  /** Pages: columns are valid in `[0, count)`. */
  count: number;
  /** `PageKind` of the page. */
  kind: Uint8Array;
  /** Page frame of RAM; page number within other ranges. */
  page: Uint32Array;
  /** Id of the range; 0 for RAM. */
  id: Uint16Array;
}

interface Trackers {
  batch: PageBatch;
  ram: RamTracker;
  rom: RomTracker;
  mmio2: Mmio2Tracker | undefined;
}

/**
 * Tells which pages of a machine that runs are to be sent, in passes: RAM by write monitoring, MMIO2 by checksums,
 * shadows of ROM by their writers. For live saves and migrations, one at a time.
 *
 * Order of calls: `prepare()`, then for each pass `scan` and `take`, at last a pass `'final'` with the machine stopped,
 * and `finish()` in any case.
 */
export class DirtyTracker {
  readonly #memory: GuestMemory;
  readonly #user: string;
  readonly #hasMmio2: boolean;
  #counts = noCounts();
  #trackers: Trackers | undefined;
  /** Time from which `saved` counts, by `clock()`. */
  #startTime = 0;

  /**
   * @param user name of the user, for the message to a second one
   * @param options.mmio2 false: the user finds writes to device memory by itself
   */
  constructor(memory: GuestMemory, user: string, { mmio2 = true }: { mmio2?: boolean } = {}) {
    this.#memory = memory;
    this.#user = user;
    this.#hasMmio2 = mmio2;
  }

  /** Present counts, as statistics show them. */
  get counts(): Readonly<LiveCounts> {
    return this.#counts;
  }

  /**
   * Pages that the other side lacks: marked ones, and monitored ones that were written since the last scan. Ballooned
   * pages don't count, as only the final pass names them, in a byte each; VirtualBox counts them, and never ends with a
   * large balloon.
   */
  get dirtyPages(): number {
    const { rom, mmio2, ram } = this.#counts;
    const { writtenTo, ballooned } = this.#memory.pages.counts;
    return rom.dirty + mmio2.dirty + Math.max(ram.dirty - ballooned, 0) + writtenTo;
  }

  /** Seconds in which `counts.saved` pages were saved. */
  get elapsedSeconds(): number {
    return (clock() - this.#startTime) / 1000;
  }

  /**
   * Begins to track; all pages are dirty. @throws UsageError VERR_PGM_WRITE_MONITOR_ENGAGED while another user tracks
   */
  prepare(): void {
    this.#memory.monitor.engage(this.#user);
    this.#counts = noCounts();
    this.#counts.active = true;
    this.#startTime = clock();
    this.#trackers = {
      batch: newTakenBatch(),
      ram: new RamTracker(this.#memory, this.#counts),
      rom: new RomTracker(this.#memory, this.#counts),
      mmio2: this.#hasMmio2 ? new Mmio2Tracker(this.#memory, this.#counts) : undefined,
    };
  }

  /** Notes written pages, and arms them anew. Lets the machine run on in between, except in pass `'final'`. */
  async scan(pass: Pass): Promise<void> {
    const { ram, rom, mmio2 } = this.#tracking();
    if (pass === SPEED_PASS) {
      this.#counts.saved = 0;
      this.#startTime = clock();
    }
    rom.scan();
    await mmio2?.scan(pass);
    await ram.scan(pass);
  }

  /**
   * Hands pages over in the order of a saved state: ROM, shadows, MMIO2, RAM. A live pass takes pages that have been
   * quiet, pass `'final'` all that the other side lacks. Contents are as of the moment of taking. Pages that the sink
   * refuses, by rejecting, are dirty again.
   * @returns pages handed over
   */
  async take(pass: Pass, sink: PageSink, { eager = false, contents = true }: PassOptions = {}): Promise<number> {
    const { batch, ram, rom, mmio2 } = this.#tracking();
    const taker = new PageTaker(batch, sink, { contents, yields: pass !== 'final' });
    try {
      await rom.takeVirgin(taker);
      await rom.takeShadows(pass, taker);
      await mmio2?.take(pass, taker);
      await ram.take(pass, taker, eager);
      await taker.hand();
    } catch (error) {
      this.putBack(batch);
      throw error;
    }
    return taker.taken;
  }

  /** Marks the pages of a batch dirty, since the other side did not get them. */
  putBack(batch: PageNames): void {
    const { ram, rom, mmio2 } = this.#tracking();
    for (let i = 0; i < batch.count; i++) {
      const kind = batch.kind[i];
      if (isRam(kind)) ram.putBack(batch.page[i]);
      else if (isMmio2(kind)) mmio2?.putBack(batch.id[i], batch.page[i]);
      else rom.putBack(kind, batch.id[i], batch.page[i]);
    }
  }

  /** Keeps the result of the last vote for the statistics. @internal */
  noteVote({
    dirtyShort,
    dirtyLong,
    pagesPerSecond,
  }: Pick<LiveCounts, 'dirtyShort' | 'dirtyLong' | 'pagesPerSecond'>): void {
    Object.assign(this.#counts, { dirtyShort, dirtyLong, pagesPerSecond });
  }

  /**
   * Ends tracking: no page is monitored any more, and another user may track. To be called in any case; a second call
   * does nothing.
   */
  finish(): void {
    if (this.#end()) this.#memory.monitor.release(this.#user);
  }

  /** Ends tracking in small steps, between which the machine runs on. */
  async finishInTurns(): Promise<void> {
    if (this.#end()) await this.#memory.monitor.releaseInTurns(this.#user);
  }

  #end(): boolean {
    const wasTracking = this.#trackers !== undefined;
    this.#trackers = undefined;
    this.#counts.active = false;
    return wasTracking;
  }

  #tracking(): Trackers {
    if (!this.#trackers)
      throw new UsageError('not-prepared', `Cannot track dirty pages for ${this.#user}: not prepared`);
    return this.#trackers;
  }
}
