/**
 * Frames of the host that are the hypervisor's own. Guests' pages are known by smaller numbers, or not by narrow ones.
 */
const FIRST_LOW = 0xf_0000;
const END_LOW = 0x10_0000;
/** From 2^41 on: above guests' pages and above the pool's. */
const FIRST_HIGH = 2 ** 29;

/** Gives a frame of the host, below 4 GiB where `low`; undefined where the host has none. */
export type AllocateLow = (low: boolean) => number | undefined;

/** Pages that the hypervisor has for tables of its own, by frame of the host. */
export class HypervisorPages {
  #low = FIRST_LOW;
  #high = FIRST_HIGH;

  /** A frame, below 4 GiB where `low`; undefined where there is none left. */
  readonly allocate = (low: boolean): number | undefined => {
    if (!low) return this.#high++;
    return this.#low < END_LOW ? this.#low++ : undefined;
  };
}

/** Entries of 32 bits name guests' pages only below this frame: what follows up to 4 GiB is the hypervisor's. */
export const NARROW_FRAMES = FIRST_LOW;
