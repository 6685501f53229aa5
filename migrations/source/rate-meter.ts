import { clock } from '../../formats/world/waiting.ts';

/** Half-life of what was measured, in ms. */
const HALF_LIFE = 1000;

/** How fast a link takes bytes, and what both sides did meanwhile. Recent time counts most. */
export class RateMeter {
  #bytes = 0;
  #ms = 0;
  #waited = 0;
  #targetBusy = 0;
  #last: number;

  constructor(now = clock()) {
    this.#last = now;
  }

  /** Forgets what was measured. */
  restart(now = clock()): void {
    this.#bytes = 0;
    this.#ms = 0;
    this.#waited = 0;
    this.#targetBusy = 0;
    this.#last = now;
  }

  /** Notes bytes that the target has consumed, and the share of its time that it was busy meanwhile. */
  add(bytes: number, targetBusy: number, now = clock()): void {
    const ms = now - this.#last;
    this.#last = now;
    const fade = 0.5 ** (ms / HALF_LIFE);
    this.#bytes = this.#bytes * fade + bytes;
    this.#ms = this.#ms * fade + ms;
    this.#waited *= fade;
    this.#targetBusy = this.#targetBusy * fade + targetBusy * ms;
  }

  /** Notes time in which there was nothing to do but wait. */
  addWait(ms: number): void {
    this.#waited += ms;
  }

  /** Time that passed without sending, such as a pause between rounds, does not count. */
  skip(now = clock()): void {
    this.#last = now;
  }

  /** Bytes per second; `fallback` before anything was measured. */
  rate(fallback: number): number {
    return this.#ms < 1 || this.#bytes === 0 ? fallback : (this.#bytes * 1000) / this.#ms;
  }

  /** The share of time in which neither side had anything to do but wait for the link. */
  get waitingShare(): number {
    return this.#ms < 1 ? 0 : Math.min(this.#waited / this.#ms, 1 - this.#targetBusy / this.#ms);
  }
}
