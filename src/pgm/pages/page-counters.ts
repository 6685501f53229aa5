/** Counts of pages by state (guest-memory.md 3.3). Ballooned pages count as zero pages, too. */
export interface PageCounts {
  /** Pages of all ranges, shadow pages of ROMs, pages of MMIO2 whether mapped or not. */
  all: number;
  /** Allocated and write-monitored pages, ROM, MMIO2. */
  private: number;
  /** Pages shared with other machines. */
  shared: number;
  /** Pages without memory, which read as zeros. */
  zero: number;
  /** Pages of ranges that were made for MMIO. */
  pureMmio: number;
  /** Pages that are write-monitored. */
  monitored: number;
  /** Pages with the mark that they were written while monitored. */
  writtenTo: number;
  /** Pages with a write lock: mapped for writing by devices. */
  writeLocked: number;
  /** Pages with a read lock: mapped for reading by devices. */
  readLocked: number;
  /** Pages in the balloon. */
  ballooned: number;
}

export function noPages(): PageCounts {
  return {
    all: 0,
    private: 0,
    shared: 0,
    zero: 0,
    pureMmio: 0,
    monitored: 0,
    writtenTo: 0,
    writeLocked: 0,
    readLocked: 0,
    ballooned: 0,
  };
}

/** Names of the counts in VirtualBox's statistics, below `/PGM/Page/`. */
export const PAGE_COUNT_NAMES: Readonly<Record<keyof PageCounts, string>> = {
  all: 'cAllPages',
  private: 'cPrivatePages',
  shared: 'cSharedPages',
  zero: 'cZeroPages',
  pureMmio: 'cPureMmioPages',
  monitored: 'cMonitoredPages',
  writtenTo: 'cWrittenToPages',
  writeLocked: 'cWriteLockedPages',
  readLocked: 'cReadLockedPages',
  ballooned: 'cBalloonedPages',
};
