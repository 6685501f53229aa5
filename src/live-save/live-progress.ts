import type { Pass } from '../../formats/errors.ts';
import type { ContainerWriter } from '../../formats/ssm/writing/container-writer.ts';
import { writeLiveControl } from '../../formats/units/machine/live-control.ts';

/**
 * Shares of the whole in percent: live passes, preparing the final one, and ending it. Source: SSM.cpp, uPercentLive
 * and others.
 */
const LIVE = 93;
const PREPARE = 2;
const DONE = 2;

/**
 * Progress of a live save: to whoever listens, and into the stream, wherever its whole percents change. Never goes
 * back.
 */
export class LiveProgress {
  readonly #out: ContainerWriter;
  readonly #listener: ((percent: number) => void) | undefined;
  #percent = 0;

  constructor(out: ContainerWriter, listener: ((percent: number) => void) | undefined) {
    this.#out = out;
    this.#listener = listener;
  }

  /** After a live pass, of which the units say that `percent` of the live part is done. */
  livePass(percent: number, pass: Pass): void {
    this.#reach((percent * LIVE) / 100, pass);
  }

  /** The final part begins. */
  beginFinal(): void {
    this.#tell(LIVE + PREPARE);
  }

  /** After a unit of the final part, of which a share is written. */
  finalUnit(share: number): void {
    this.#reach(LIVE + PREPARE + share * (100 - LIVE - PREPARE - DONE), 'final');
  }

  #reach(percent: number, pass: Pass): void {
    if (Math.floor(percent) > Math.floor(this.#percent)) writeLiveControl(this.#out, percent, pass);
    this.#tell(percent);
  }

  #tell(percent: number): void {
    this.#percent = Math.max(this.#percent, percent);
    this.#listener?.(this.#percent);
  }
}
