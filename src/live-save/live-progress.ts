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
 * Progress of a live save, reported to a listener, and written into the stream at each further whole percent. Never
 * decreases.
 */
export class LiveProgress {
  readonly #out: ContainerWriter;
  readonly #listener: ((percent: number) => void) | undefined;
  #percent = 0;

  constructor(out: ContainerWriter, listener: ((percent: number) => void) | undefined) {
    this.#out = out;
    this.#listener = listener;
  }

  /** To be called after a live pass; `percent` of the live part is done, by the units. */
  livePass(percent: number, pass: Pass): void {
    this.#reach((percent * LIVE) / 100, pass);
  }

  /** To be called when the final part begins. */
  beginFinal(): void {
    this.#tell(LIVE + PREPARE);
  }

  /** To be called after a unit of the final part. @param share written part of the final part, 0 to 1 */
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
