import { UnsupportedError } from '../../formats/errors.ts';
import type { ByteSink } from '../../formats/files/sink.ts';
import { KIB, PAGE_SIZE } from '../../formats/sizes.ts';
import type { ContainerWriter } from '../../formats/ssm/writing/container-writer.ts';
import { createContainer } from '../../formats/ssm/writing/create-container.ts';
import { livePassOf } from '../../formats/units/table.ts';
import type { Machine } from '../machine/machine.ts';
import type { DirtyTracker } from './dirty-tracker.ts';
import { LiveProgress } from './live-progress.ts';
import { MemoryUnit } from './memory-unit.ts';
import type { VoteResult } from './vote.ts';

/** Bytes that a container writer takes at once. */
const PIECE = 64 * KIB;

/** Options of writing a live state. */
interface LiveWriterOptions {
  /** Called for each batch and unit; throws when the save was cancelled. */
  check: () => void;
  /** Whole save, 0 to 100. */
  onProgress?: ((percent: number) => void) | undefined;
}

/** Writes the units of a live state, pass by pass, and its progress. */
export class LiveWriter {
  readonly #machine: Machine;
  readonly #tracker: DirtyTracker;
  readonly #out: ContainerWriter;
  readonly #memory: MemoryUnit;
  readonly #progress: LiveProgress;
  readonly #check: () => void;

  /** @throws UnsupportedError for a machine without a unit pgm, or with one that has no live passes */
  constructor(machine: Machine, tracker: DirtyTracker, sink: ByteSink, { check, onProgress }: LiveWriterOptions) {
    const { header, units } = machine.state;
    this.#machine = machine;
    this.#tracker = tracker;
    this.#check = check;
    this.#out = createContainer(sink, '2.0', {
      ...header,
      live: true,
      registeredUnits: header.registeredUnits ?? units.length,
    });
    const pgm = machine.units.find(({ payload }) => !payload);
    if (!pgm) throw new UnsupportedError('no-memory-unit', 'Cannot save live: the machine has no unit pgm');
    this.#memory = new MemoryUnit(machine, tracker, this.#out, pgm.header.version, check);
    this.#progress = new LiveProgress(this.#out, onProgress);
  }

  /** Writes the units of a live pass. @returns pages in it */
  async writePass(pass: number): Promise<number> {
    let pages = 0;
    for (const unit of this.#machine.units) {
      this.#check();
      const payload = pass === 0 ? unit.payload && livePassOf(unit.header, unit.payload) : undefined;
      if (payload === undefined && unit.payload) continue;
      this.#out.beginUnit({ ...unit.header, pass });
      if (payload) await this.#put(payload);
      else pages = await this.#memory.writePass(pass);
      this.#out.endUnit();
      await this.#out.flush();
    }
    return pages;
  }

  /** The vote after a live pass. */
  vote(pass: number, maxDowntimeMs: number): VoteResult {
    return this.#memory.vote(pass, maxDowntimeMs);
  }

  /** Tells the progress after a live pass. @param percent of the live part, by the vote */
  tellPass(percent: number, pass: number): void {
    this.#progress.livePass(percent, pass);
  }

  /** Writes all units of a machine that stands still, and ends the state. @returns pages in it */
  async writeFinal(): Promise<number> {
    this.#progress.beginFinal();
    const { units } = this.#machine;
    const memorySize = this.#tracker.dirtyPages * PAGE_SIZE;
    const total = units.reduce((sum, { payload }) => sum + (payload ? payload.length : memorySize), 0);
    let done = 0;
    let pages = 0;
    for (const { header, payload } of units) {
      this.#check();
      this.#out.beginUnit({ ...header, pass: 'final' });
      if (payload) await this.#put(payload);
      else pages = await this.#memory.writePass('final');
      this.#out.endUnit();
      await this.#out.flush();
      done += payload ? payload.length : memorySize;
      this.#progress.finalUnit(total > 0 ? done / total : 1);
    }
    await this.#out.finish();
    return pages;
  }

  async #put(payload: Uint8Array): Promise<void> {
    for (let at = 0; at < payload.length; at += PIECE) {
      this.#out.put(payload.subarray(at, at + PIECE));
      if (this.#out.isFull) await this.#out.flush();
    }
  }
}
