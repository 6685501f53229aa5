import { crcShift } from '../binary/crc32.ts';
import type { Window } from '../files/window.ts';

/**
 * Compares the CRCs within a V2.0 stream with those of its bytes.
 *
 * Every stored CRC starts from offset 0, so after damage none would agree any more. `StreamCrc` carries the difference
 * between computed and claimed CRC forward, so that each unit is judged by its own bytes alone.
 */
export class StreamCrc {
  readonly #window: Window;
  /** Computed ^ claimed, as of file offset `#at`. */
  #difference = 0;
  #at = 0;
  /** Damage was reported since the last CRC that agreed, so the next claim will be believed. */
  #suspect = false;
  #disabled = false;

  constructor(window: Window) {
    this.#window = window;
  }

  /** CRC that the file would claim at `index` if nothing was damaged since the last believed claim. */
  expected(index: number): number {
    return (this.#window.crcThrough(index) ^ crcShift(this.#difference, this.#window.offsetOf(index) - this.#at)) >>> 0;
  }

  /** Whether the CRC of all bytes before `index` is the claimed one, whatever earlier claims said. */
  agreesInAll(index: number, claimed: number): boolean {
    return this.#disabled || this.#window.crcThrough(index) === claimed;
  }

  /** Believes every claim from now on and computes nothing, for a first reading before one that checks. */
  disable(): void {
    this.#disabled = true;
    this.#window.limitCrc(0, 0);
  }

  /**
   * Whether a claim agrees; believes it in either case. A disagreement right after reported damage counts as part of
   * that damage.
   */
  agrees(index: number, claimed: number): boolean {
    if (this.#disabled) return true;
    const same = this.expected(index) === claimed;
    const excused = this.#suspect;
    if (!same) this.#believe(index, claimed);
    this.#suspect = false;
    return same || excused;
  }

  /** Notes that damage before the current position was reported. */
  suspect(): void {
    this.#suspect = true;
  }

  #believe(index: number, claimed: number): void {
    this.#difference = (this.#window.crcThrough(index) ^ claimed) >>> 0;
    this.#at = this.#window.offsetOf(index);
  }
}
