/** What sending has come to, lately. */
export interface SendingFigures {
  /** zstd is in use. */
  compresses: boolean;
  /** The share of time in which there was nothing to do but wait for the link, from 0 to 1. */
  waitingShare: number;
  /** Packed size by size, where zstd was used; a guess where it never was. */
  ratio: number;
}

/** Waiting for more than this share of the time, the processor has time to compress. */
const IDLE_ENOUGH = 0.4;
/** Waiting for less, compression is what holds things up. */
const BUSY = 0.1;
/** Above this ratio zstd saves less than it is worth on any link. */
const POOR_RATIO = 0.95;

/**
 * Whether to compress from now on; a pure function. Compression pays on links slower than about 330 MB/s where this was measured; the share of
 * waiting tells on which side of that line this link and this processor are, whatever their speeds.
 */
export function chooseCompression({ compresses, waitingShare, ratio }: SendingFigures): boolean {
  if (compresses) return ratio < POOR_RATIO && waitingShare > BUSY;
  return ratio < POOR_RATIO && waitingShare > IDLE_ENOUGH;
}
