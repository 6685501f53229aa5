import { hex, UnsupportedError } from '../errors.ts';
import { PAGE_SIZE } from '../sizes.ts';
import { QemuFormatError } from './qemu-error.ts';
import type { StreamBytes } from './stream-bytes.ts';

/** Place of a block's pages in a mapped-ram file; offsets count from the start of the file. */
export interface MappedPages {
  /** Offset of the bitmap, which has one bit for each page: whether the file holds it. */
  bitmapOffset: number;
  /** Place of the block's first page. */
  pagesOffset: number;
}

/** The only version of the header. */
const MAPPED_VERSION = 1;

/**
 * Reads the header of a block. @throws UnsupportedError for another version, QemuFormatError for places that overlap
 */
export async function readMappedHeader(
  bytes: StreamBytes,
  { name, size }: { name: string; size: number },
): Promise<MappedPages> {
  const { offset } = bytes;
  const version = await bytes.u32('header of mapped RAM');
  const pageSize = await bytes.u64('header of mapped RAM');
  const bitmapOffset = await bytes.u64('header of mapped RAM');
  const pagesOffset = await bytes.u64('header of mapped RAM');
  const what = `Cannot read mapped RAM of block ${JSON.stringify(name)}`;
  if (version !== MAPPED_VERSION)
    throw new UnsupportedError('mapped-version', `${what}: version ${version}, expected ${MAPPED_VERSION}`, { offset });
  if (pageSize !== PAGE_SIZE)
    throw new QemuFormatError('bad-mapped-ram', `${what}: page size ${pageSize}, expected ${PAGE_SIZE}`, { offset });
  if (bitmapOffset !== bytes.offset) {
    throw new QemuFormatError(
      'bad-mapped-ram',
      `${what}: its bitmap is said to be at ${hex(bitmapOffset)}, expected ${hex(bytes.offset)}`,
      { offset },
      'Error reading dirty bitmap',
    );
  }
  if (pagesOffset < bitmapOffset + bitmapBytes(size)) {
    throw new QemuFormatError(
      'bad-mapped-ram',
      `${what}: its pages are said to be at ${hex(pagesOffset)}, before the end of its bitmap`,
      { offset },
    );
  }
  return { bitmapOffset, pagesOffset };
}

/** Bytes of the bitmap of a block: 64-bit words, a bit for each page. */
export function bitmapBytes(size: number): number {
  return Math.ceil(size / PAGE_SIZE / 64) * 8;
}

/** Bytes of the header. */
export const MAPPED_HEADER_SIZE = 4 + 8 + 8 + 8;

/** Output of a header. */
interface Output {
  u32(value: number): void;
  u64(value: number): void;
}

export function writeMappedHeader(out: Output, { bitmapOffset, pagesOffset }: MappedPages): void {
  out.u32(MAPPED_VERSION);
  out.u64(PAGE_SIZE);
  out.u64(bitmapOffset);
  out.u64(pagesOffset);
}
