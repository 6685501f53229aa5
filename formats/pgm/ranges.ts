import { FOUR_GIB, PAGE_SHIFT } from '../sizes.ts';
import type { Release } from '../ssm/container.ts';
import type { PgmConfig } from './head.ts';

/** `MM_RAM_HOLE_SIZE_DEFAULT`: size of the hole below 4 GiB, in bytes, if the state does not tell. */
export const DEFAULT_RAM_HOLE = 0x2000_0000;
/**
 * Maximum RAM of a VirtualBox machine, in bytes. Larger claims of a file are refused where each page costs time or
 * room.
 */
export const MAX_RAM = 2 ** 41;
/** Start of video memory and ROMs of PCs, which are no RAM. */
export const LOW_HOLE_START = 0xa0000;
export const LOW_HOLE_END = 0x100000;

export function isInLowHole(frame: number): boolean {
  return frame >= LOW_HOLE_START >>> PAGE_SHIFT && frame < LOW_HOLE_END >>> PAGE_SHIFT;
}

/**
 * Whether there is RAM from 0xA0000 to 0xFFFFF, between ROMs and device memory: only in releases before 6.1. V1.1 files
 * hold no release, but are older.
 */
export function hasRamInLowHole(release: Release | undefined): boolean {
  return release === undefined || release.major < 6 || (release.major === 6 && release.minor < 1);
}

/** Addresses of RAM: `[0, lowEnd)` without the low hole, and `[4 GiB, highEnd)`. */
export interface RamLayout {
  lowEnd: number;
  highEnd: number;
}

export function ramLayout(ramSize: number, ramHole = DEFAULT_RAM_HOLE): RamLayout {
  const lowEnd = Math.min(ramSize, FOUR_GIB - ramHole);
  return { lowEnd, highEnd: FOUR_GIB + ramSize - lowEnd };
}

/** 1 GiB; video memory has at most 256 MiB. */
const RANGE_PAGES_LIMIT = 2 ** 18;

/** Pages that page records may refer to: frames of RAM, pages of ROMs and MMIO2 ranges. */
export class KnownRanges {
  /** End of the frames of RAM below 4 GiB, exclusive. */
  lowFrames = Number.POSITIVE_INFINITY;
  /** End of the frames of RAM from 4 GiB on, exclusive. */
  highFrames = Number.POSITIVE_INFINITY;
  /** Number of pages by id; −1 for an unknown range. */
  readonly romPages = new Float64Array(256).fill(-1);
  /** First frame by id. */
  readonly romFrames = new Float64Array(256);
  readonly mmio2Pages = new Float64Array(256).fill(-1);

  /** @param ramSize for states whose config block does not hold it (version 10) */
  describe(config: PgmConfig, ramSize: number | undefined): void {
    const size = config.ramSize ?? ramSize;
    if (size !== undefined) {
      const { lowEnd, highEnd } = ramLayout(size, config.ramHole);
      this.lowFrames = lowEnd / 2 ** PAGE_SHIFT;
      this.highFrames = highEnd / 2 ** PAGE_SHIFT;
    }
    this.romPages.fill(-1);
    this.mmio2Pages.fill(-1);
    for (const { id, address, size } of config.roms) {
      this.romPages[id] = size / 2 ** PAGE_SHIFT;
      this.romFrames[id] = address / 2 ** PAGE_SHIFT;
    }
    for (const { id, size } of config.mmio2) this.mmio2Pages[id] = size / 2 ** PAGE_SHIFT;
  }

  /**
   * Allows any id and all page numbers of the largest possible range, for states whose lists of ROMs and MMIO2 ranges
   * are lost.
   */
  allowAny(): void {
    this.romPages.fill(RANGE_PAGES_LIMIT);
    this.mmio2Pages.fill(RANGE_PAGES_LIMIT);
  }

  isRamFrame(frame: number): boolean {
    return frame < this.lowFrames || (frame >= FOUR_GIB_FRAMES && frame < this.highFrames);
  }
}
const FOUR_GIB_FRAMES = FOUR_GIB / 2 ** PAGE_SHIFT;
/** Guests are far smaller than 16 TiB, and page frames below 16 TiB fit 32 bits. */
export const FRAME_LIMIT = 2 ** 32;
