import { clock, sleep } from '../../formats/world/waiting.ts';

/** After a pause, as much may go out at once as the bandwidth carries in this time. */
const BURST_MS = 100;

/** Keeps sending below a bandwidth that may change at any time. */
export class LinkPacer {
  /** Time at which all bytes so far will have gone out, at the bandwidth. */
  #free = 0;

  /** Waits until `bytes` more may go out. @returns duration of the wait, in ms */
  async take(bytes: number, bandwidth: number, signal?: AbortSignal): Promise<number> {
    if (!Number.isFinite(bandwidth)) return 0;
    const now = clock();
    this.#free = Math.max(this.#free, now - BURST_MS) + (bytes * 1000) / bandwidth;
    const wait = this.#free - now;
    if (wait < 1) return 0;
    await sleep(wait, { signal });
    return clock() - now;
  }
}
