import { GIB, KIB, MIB, PAGE_SIZE } from '../../formats/sizes.ts';

// Limits of a peer's requests. Each is checked before anything is allocated or waited for.

/**
 * Pages in one frame: large enough that the cost per frame vanishes, small enough that a frame takes 10 ms on a link of
 * 100 MB/s.
 */
export const FRAME_PAGES = 256;
/** Bytes in a frame of pages: its table, and contents, which zstd makes hardly larger than the pages. */
export const MAX_PAGES_PAYLOAD = 16 + FRAME_PAGES * (16 + PAGE_SIZE) + 8 * KIB;
/**
 * Bytes of a frame whose size its sender chooses, while the speed of the link is not known: a link of 3 KB/s carries it
 * within the time-out of a frame.
 */
export const MODEST_FRAME = 64 * KIB;
/** Messages hold versions, names and the description of memory: some kilobytes. */
export const MAX_MESSAGE = 256 * KIB;
/** Values of a message: a description names up to 1024 regions and as many units, each with some fields. */
export const MAX_VALUES = 32_768;
export const MAX_NESTING = 8;
/** Bytes of a machine without its pages: the states of its devices, with a screenshot some MiB. */
export const MAX_DESCRIPTION = 32 * MIB;
/** Hashes in one frame: nodes of 1 TiB of memory, 4 MiB. */
export const MAX_HASHES = 524_288;
/** A piece of the rest: the machine's state without pages. */
export const MAX_REST_PIECE = MIB;
/** A piece of the data that hypervisors exchange about a disk. */
export const MAX_DISK_PIECE = 262_144;
/** The whole rest, limited like a description. */
export const MAX_REST = 32 * MIB;
/** 1 TiB of guest memory: its hashes take 2 GiB on either side. Receivers have a limit of their own below that. */
export const MAX_PAGES = (1024 * GIB) / PAGE_SIZE;
/** RAM below and above 4 GiB, ROMs with shadows, MMIO2 ranges. */
export const MAX_REGIONS = 1024;
/** Each round takes at least a round trip, so a migration with so many rounds has run very long without result. */
export const MAX_ROUNDS = 10_000;
/** Bytes of all page frames, as a multiple of the machine's memory. */
export const MAX_GROWTH = 1000;
export const MAX_STREAMS = 16;
/** Bytes of page frames sent but not consumed yet, for each stream; bounds the buffer of a receiver. */
export const DEFAULT_WINDOW = 8 * MIB;
export const MAX_WINDOW = 256 * MIB;

/** Times for which a side waits for the other one, in ms. */
export interface TimeOuts {
  /** Until an expected frame of the peer is complete, in ms; bytes that trickle in do not prolong it. */
  frame: number;
  /** Until a connection has said hello, in ms. */
  hello: number;
  /** Interval of the beats of a side that has nothing to send, in ms. */
  beat: number;
}

/** A peer that sends nothing but beats is given up after this many time-outs of a frame. */
export const PATIENCE = 10;

export const TIME_OUTS: TimeOuts = { frame: 30_000, hello: 10_000, beat: 5_000 };
