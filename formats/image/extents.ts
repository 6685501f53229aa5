import type { GuestPhys } from '../units.ts';

/** A stretch of guest-physical memory and where its bytes stand in an image file. */
export interface Extent {
  start: GuestPhys;
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

export type MemoryRange = Pick<Extent, 'start' | 'end'>;

/** Flat by address: the byte at address `range.start + x` stands at offset x. */
export function rawLayout(range: MemoryRange): ImageLayout {
  return { size: range.end - range.start, extents: [{ ...range, offset: 0 }], fixed: [] };
}
