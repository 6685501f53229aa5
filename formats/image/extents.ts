import { type GuestPhys, PAGE_SIZE } from '../sizes.ts';

/** A stretch of guest-physical memory and where its bytes stand in an image file. */
export interface Extent {
  /** Guest-physical address of the first byte. */
  start: GuestPhys;
  /** Exclusive. */
  end: GuestPhys;
  /** File offset of the byte at `start`. */
  offset: number;
}

/** How an image file is laid out: fixed bytes at their offsets, and extents for the contents. */
export interface ImageLayout {
  /** Bytes of the file. */
  size: number;
  extents: Extent[];
  /** Headers, notes: owned bytes and their file offsets. */
  fixed: { offset: number; bytes: Uint8Array }[];
}

/** Guest-physical addresses, `[start, end)`. */
export type MemoryRange = Pick<Extent, 'start' | 'end'>;

/**
 * Flat by address: the byte at address `range.start + x` stands at offset x. The extent covers whole pages, so it may
 * start before offset 0.
 */
export function rawLayout(range: MemoryRange): ImageLayout {
  const start = Math.floor(range.start / PAGE_SIZE) * PAGE_SIZE;
  const end = Math.ceil(range.end / PAGE_SIZE) * PAGE_SIZE;
  return { size: range.end - range.start, extents: [{ start, end, offset: start - range.start }], fixed: [] };
}
