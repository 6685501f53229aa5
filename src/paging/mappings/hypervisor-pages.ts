/**
 * First frame of the host for the hypervisor's own pages below 4 GiB. Guests' pages have smaller numbers, or none that
 * fits into 32-bit entries.
 */
const FIRST_LOW = 0xf_0000;
const END_LOW = 0x10_0000;
/** From 2^41 on: above guests' pages and above the pool's. */
const FIRST_HIGH = 2 ** 29;

/** Allocates a frame of the host, below 4 GiB if `low`; undefined where the host has none. */
export type AllocateLow = (low: boolean) => number | undefined;

/** The hypervisor's pages for its own tables, by frame of the host. */
export class HypervisorPages {
  #low = FIRST_LOW;
  #high = FIRST_HIGH;

  /** A frame, below 4 GiB where `low`; undefined where there is none left. */
  readonly allocate = (low: boolean): number | undefined => {
    if (!low) return this.#high++;
    return this.#low < END_LOW ? this.#low++ : undefined;
  };
}

/** 32-bit entries map guests' pages below this frame only; the frames from there up to 4 GiB are the hypervisor's. */
export const NARROW_FRAMES = FIRST_LOW;
