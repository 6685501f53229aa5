import { clock } from '../../formats/world/waiting.ts';

/** Half-life of measurements, in ms. */
const HALF_LIFE = 1000;

/** Measures how fast a link takes bytes, and how busy both sides were. Recent time counts most. */
export class RateMeter {
  #bytes = 0;
  #ms = 0;
  #waited = 0;
  #targetBusy = 0;
  #last: number;

  constructor(now = clock()) {
    this.#last = now;
  }

  /** Forgets all measurements. */
  restart(now = clock()): void {
    this.#bytes = 0;
    this.#ms = 0;
    this.#waited = 0;
    this.#targetBusy = 0;
    this.#last = now;
  }

  /** Notes bytes that the target has consumed, and its busy share of the time meanwhile. */
  add(bytes: number, targetBusy: number, now = clock()): void {
    const ms = now - this.#last;
    this.#last = now;
    const fade = 0.5 ** (ms / HALF_LIFE);
    this.#bytes = this.#bytes * fade + bytes;
    this.#ms = this.#ms * fade + ms;
    this.#waited *= fade;
    this.#targetBusy = this.#targetBusy * fade + targetBusy * ms;
  }

  /** Notes time in which the source could only wait. */
  addWait(ms: number): void {
    this.#waited += ms;
  }

  /** Leaves out the time since the last measurement, such as a pause between rounds. */
  skip(now = clock()): void {
    this.#last = now;
  }

  /** Bytes per second; `fallback` before anything was measured. */
  rate(fallback: number): number {
    return this.#ms < 1 || this.#bytes === 0 ? fallback : (this.#bytes * 1000) / this.#ms;
  }

  /** Share of time in which both sides could only wait for the link. */
  get waitingShare(): number {
    return this.#ms < 1 ? 0 : Math.min(this.#waited / this.#ms, 1 - this.#targetBusy / this.#ms);
  }
}
