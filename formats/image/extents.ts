import { type GuestPhys, PAGE_SIZE } from '../sizes.ts';

/** A stretch of guest-physical memory, with its place in an image file. */
export interface Extent {
  /** Guest-physical address of the first byte. */
  start: GuestPhys;
  /** End address, exclusive. */
  end: GuestPhys;
  /** File offset of the byte at `start`. */
  offset: number;
}

/** Layout of an image file: fixed bytes at their offsets, and extents for the contents. */
export interface ImageLayout {
  /** Size of the file in bytes. */
  size: number;
  extents: Extent[];
  /** Headers and notes: owned bytes with their file offsets. */
  fixed: { offset: number; bytes: Uint8Array }[];
}

/** Guest-physical addresses, `[start, end)`. */
export type MemoryRange = Pick<Extent, 'start' | 'end'>;

/**
 * Flat layout: the byte at address `range.start + x` is at offset x. The extent covers whole pages, so it may start
 * before offset 0.
 */
export function rawLayout(range: MemoryRange): ImageLayout {
  const start = Math.floor(range.start / PAGE_SIZE) * PAGE_SIZE;
  const end = Math.ceil(range.end / PAGE_SIZE) * PAGE_SIZE;
  return { size: range.end - range.start, extents: [{ start, end, offset: start - range.start }], fixed: [] };
}
