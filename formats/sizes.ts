/** A guest page, on every host that VirtualBox runs on. */
export const PAGE_SIZE = 4096;
export const PAGE_SHIFT = 12;
export const KIB = 1024;
export const MIB = 1024 * KIB;
export const GIB = 1024 * MIB;
export const FOUR_GIB = 4 * GIB;
/** Weight of the high half of a 64-bit number. */
export const TWO_32 = 2 ** 32;

/** Guest-physical address (RTGCPHYS). 52 bits fit a number. */
export type GuestPhys = number;
/** Guest-virtual address (RTGCPTR). */
export type GuestVirt = bigint;
