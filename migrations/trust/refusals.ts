import { clock } from '../../formats/world/waiting.ts';

/** Refusals that are reported one by one; after these, one a second. */
const AT_ONCE = 20;

/** Called for a refused connection. @param why one line for people */
export type OnRefused = (peer: string, why: string) => void;

/** Reports refused connections; limits the reports in a flood. */
export class Refusals {
  readonly #tell: OnRefused | undefined;
  #left = AT_ONCE;
  #since = clock();
  #untold = 0;

  constructor(tell: OnRefused | undefined) {
    this.#tell = tell;
  }

  note(peer: string, why: string): void {
    const now = clock();
    const refilled = Math.min(AT_ONCE, this.#left + (now - this.#since) / 1000);
    this.#since = now;
    this.#left = refilled;
    if (refilled < 1) {
      this.#untold++;
      return;
    }
    this.#left--;
    const others = this.#untold > 0 ? ` (and ${this.#untold} others before)` : '';
    this.#untold = 0;
    this.#tell?.(peer, `${why}${others}`);
  }
}
