import type { Pass } from '../../formats/errors.ts';
import { UnsupportedError } from '../../formats/errors.ts';
import { type PageBatch, PageKind } from '../../formats/pgm/page-batch.ts';
import { PgmPassWriter } from '../../formats/pgm/pgm-writer.ts';
import { type PgmVersion, pgmVersion } from '../../formats/pgm/versions.ts';
import { Encoding } from '../../formats/ssm/segments.ts';
import type { ContainerWriter } from '../../formats/ssm/writing/container-writer.ts';
import type { Machine } from '../machine/machine.ts';
import type { DirtyTracker } from './dirty-tracker.ts';
import { NO_HISTORY, type VoteResult, voteOnPass } from './vote.ts';

/** The unit "pgm" of a live save: writes the pages that the tracker hands over, and votes. */
export class MemoryUnit {
  readonly #machine: Machine;
  readonly #tracker: DirtyTracker;
  readonly #out: ContainerWriter;
  readonly #version: PgmVersion;
  readonly #check: () => void;
  #history = NO_HISTORY;

  /**
   * @param version of the unit, 10 to 14
   * @param check called for each batch; throws when the save was cancelled
   * @throws UnsupportedError for versions without live passes
   */
  constructor(machine: Machine, tracker: DirtyTracker, out: ContainerWriter, version: number, check: () => void) {
    const known = pgmVersion(version);
    if (known?.pages !== 'records')
      throw new UnsupportedError(
        'unsupported-version',
        `Cannot save live: unit pgm of version ${version} has no live passes, expected 10 to 14`,
      );
    this.#machine = machine;
    this.#tracker = tracker;
    this.#out = out;
    this.#version = known;
    this.#check = check;
  }

  get version(): number {
    return this.#version.version;
  }

  /** Writes one pass. @returns pages in it */
  async writePass(pass: Pass): Promise<number> {
    const { basic, config, state } = this.#machine;
    const writer = new PgmPassWriter(
      this.#out,
      this.#version,
      state.header.widths,
      pass === 'final' ? basic : undefined,
      pass === 0 ? config : undefined,
    );
    await this.#tracker.scan(pass);
    const pages = await this.#tracker.take(pass, { take: (batch) => this.#put(batch, writer) });
    writer.end();
    return pages;
  }

  vote(pass: number, maxDowntimeMs: number): VoteResult {
    const tracker = this.#tracker;
    const { ram, rom, mmio2, ignored } = tracker.counts;
    const result = voteOnPass({
      pass,
      history: this.#history,
      dirtyPages: tracker.dirtyPages,
      savedPages: tracker.counts.saved,
      elapsedSeconds: tracker.elapsedSeconds,
      maxDowntimeMs,
      allPages: this.#machine.memory.pages.counts.all,
      ignoredPages: ignored,
      zeroPages: ram.zero + rom.zero + mmio2.zero,
    });
    this.#history = result.history;
    tracker.noteVote(result);
    return result;
  }

  async #put(batch: PageBatch, writer: PgmPassWriter): Promise<void> {
    this.#check();
    for (let i = 0; i < batch.count; i++) {
      let kind = batch.kind[i];
      if (kind === PageKind.RAM_BALLOONED && !this.#version.balloonRecords) kind = PageKind.RAM_ZERO;
      if (batch.encoding[i] === Encoding.NONE) writer.putPage(kind, batch.page[i], batch.id[i], batch.protection[i]);
      else writer.put(kind, batch.page[i], batch.id[i], batch.protection[i], batch, i);
      if (this.#out.isFull) await this.#out.flush();
    }
  }
}
