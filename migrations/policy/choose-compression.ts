/** Recent figures of the link. */
export interface SendingFigures {
  /** zstd is in use. */
  compresses: boolean;
  /** The share of time in which both sides only waited for the link, from 0 to 1. */
  waitingShare: number;
  /** Packed size by size, as measured with zstd; a guess before the first use. */
  ratio: number;
  /** Bytes per second that have left. */
  rate: number;
}

/** If the link waits for more than this share of the time, the processor has time to compress. */
const IDLE_ENOUGH = 0.4;
/** If the link waits for less than this share, compression is the bottleneck. */
const BUSY = 0.1;
/**
 * Bytes per second. A faster link is better used without zstd: level 1 packs about 400 MB/s where this was measured.
 */
const FAST_LINK = 330e6;
/** Above this ratio zstd saves less than it is worth on any link. */
const POOR_RATIO = 0.95;

/** Whether to compress from now on, by the speed of the link and the idle time of the processors; a pure function. */
export function chooseCompression({ compresses, waitingShare, ratio, rate }: SendingFigures): boolean {
  if (compresses) return ratio < POOR_RATIO && waitingShare > BUSY;
  return ratio < POOR_RATIO && rate < FAST_LINK && waitingShare > IDLE_ENOUGH;
}
