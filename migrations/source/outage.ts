import { xxh64 } from '../../formats/kernels/xxh64.ts';
import { clock } from '../../formats/world/waiting.ts';
import type { PageHashes } from '../machine/page-hashes.ts';

/**
 * The time in which no page reaches the target: there is no link, or each new link breaks before a page has arrived.
 */
export class Outage {
  readonly #limitMs: number;
  readonly #retryAfterMs: readonly number[];
  /** Start of the outage; undefined when there is none. */
  #since: number | undefined;
  /** Start of the present link. */
  #linkSince: number | undefined;
  #failures = 0;
  /** Hash of all hashes that the target had when the last link was made. */
  #memory: bigint | undefined;

  /** @param retryAfterMs waits before each further link; the last one repeats */
  constructor(limitMs: number, retryAfterMs: readonly number[]) {
    this.#limitMs = limitMs;
    this.#retryAfterMs = retryAfterMs;
  }

  /** To be called when a link was made. @param hashes of the target's memory, from the target */
  linked(hashes: PageHashes): void {
    this.#linkSince = clock();
    const memory = xxh64(new Uint8Array(hashes.words.buffer));
    if (memory !== this.#memory) this.#end();
    this.#memory = memory;
  }

  /**
   * To be called when pages were sent over the present link and the target has taken none: the link counts as broken,
   * however long it lasts.
   */
  isStuck(): void {
    this.#linkSince = undefined;
  }

  /** To be called when the link is lost. @returns ms until the next attempt; undefined when the time limit is over */
  retryIn(): number | undefined {
    const now = clock();
    // A link that lasted as long as the time limit was good, even if the guest had nothing to send.
    if (this.#linkSince !== undefined && now - this.#linkSince >= this.#limitMs) this.#end();
    this.#linkSince = undefined;
    this.#since ??= now;
    if (now - this.#since >= this.#limitMs) return undefined;
    return this.#retryAfterMs[Math.min(this.#failures++, this.#retryAfterMs.length - 1)];
  }

  #end(): void {
    this.#since = undefined;
    this.#failures = 0;
  }
}
