import type { GuestPhys } from '../../../formats/sizes.ts';

const A20 = 2 ** 20;

/** The A20 gates of the CPUs: while a CPU's gate is off, bit 20 of each of its addresses is 0. */
export class A20Gate {
  readonly #off: boolean[] = [];
  readonly #changes: number[] = [];
  /** All gates are on: the usual case, kept for speed. */
  isAllOn = true;

  /** Whether a CPU's gate is on. */
  isOn(cpu: number): boolean {
    return !this.#off[cpu];
  }

  /** Opens or closes a CPU's gate. */
  set(cpu: number, on: boolean): void {
    if (on === this.isOn(cpu)) return;
    this.load(cpu, on);
    this.#changes[cpu] = this.changesOf(cpu) + 1;
  }

  /** Sets a gate out of a saved state, which does not count as a change. */
  load(cpu: number, on: boolean): void {
    this.#off[cpu] = !on;
    this.isAllOn = !this.#off.includes(true);
  }

  /** Number of changes of a gate since power-on. */
  changesOf(cpu: number): number {
    return this.#changes[cpu] ?? 0;
  }

  /** Opens all gates, as at power-on. */
  reset(): void {
    this.#off.length = 0;
    this.#changes.length = 0;
    this.isAllOn = true;
  }

  /** The address on the bus of a CPU's access. */
  pass(cpu: number, gcPhys: GuestPhys): GuestPhys {
    return this.#off[cpu] && Math.floor(gcPhys / A20) % 2 === 1 ? gcPhys - A20 : gcPhys;
  }

  /** The mask that saved states hold. */
  maskOf(cpu: number): bigint {
    return this.isOn(cpu) ? 0xffff_ffff_ffff_ffffn : 0xffff_ffff_ffef_ffffn;
  }
}
