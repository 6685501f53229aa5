import { crcShift } from '../binary/crc32.ts';
import type { Window } from '../files/window.ts';

/**
 * Compares the CRCs that a V2.0 stream stores along its way with those of its bytes.
 *
 * Every stored CRC goes from offset 0, so after damage none would agree any more. This keeps the difference between
 * what the bytes give and what the file claims, and carries it forward: each unit is then judged by its own bytes
 * alone.
 */
export class StreamCrc {
  readonly #window: Window;
  /** Computed ^ claimed, as of file offset `#at`. */
  #difference = 0;
  #at = 0;
  /** Damage was reported since the last CRC that agreed: the next claim is then believed. */
  #suspect = false;
  #disabled = false;

  constructor(window: Window) {
    this.#window = window;
  }

  /** CRC of all bytes before `index`, as the file would claim it were nothing damaged since the last believed claim. */
  expected(index: number): number {
    return (this.#window.crcThrough(index) ^ crcShift(this.#difference, this.#window.offsetOf(index) - this.#at)) >>> 0;
  }

  /** Whether the CRC of all bytes before `index` is the claimed one, whatever was claimed on the way. */
  agreesInAll(index: number, claimed: number): boolean {
    return this.#disabled || this.#window.crcThrough(index) === claimed;
  }

  /** Believes every claim from now on and computes nothing: for readings that only look, before one that checks. */
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

  /** Something before the current position was reported as damaged. */
  suspect(): void {
    this.#suspect = true;
  }

  #believe(index: number, claimed: number): void {
    this.#difference = (this.#window.crcThrough(index) ^ claimed) >>> 0;
    this.#at = this.#window.offsetOf(index);
  }
}
