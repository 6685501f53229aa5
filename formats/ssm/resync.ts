import { readU64 } from '../binary/little-endian.ts';
import type { Window } from '../files/window.ts';
import { startsWith } from './header-rules.ts';
import { END_MAGIC, UNIT_MAGIC, unitHeaderV1, unitHeaderV2 } from './layouts.ts';
import { crcWithout } from './v2-tail.ts';

const V2_SIZE = unitHeaderV2.size();
const V1_SIZE = unitHeaderV1.size();
/** Longest plausible name, with its NUL (`SSM_MAX_NAME_SIZE`). */
const NAME_LIMIT = 48;
export const MAX_HEADER_SIZE = V2_SIZE + NAME_LIMIT;
const LINE_FEED = 0x0a;

/** Bytes that may begin with a unit header, and their place. */
export type HeaderPlace = Pick<Window, 'bytes' | 'view' | 'position' | 'offset' | 'available' | 'source'>;

/**
 * Moves the window to the next place where `isHeader` holds; all unit magics start with a line feed.
 * @returns false at the end of the source
 */
export async function findUnitHeader(window: Window, isHeader: (window: Window) => boolean): Promise<boolean> {
  for (;;) {
    if (window.available < MAX_HEADER_SIZE && !window.ended) await window.refill();
    const bytes = Buffer.from(window.bytes.buffer, window.bytes.byteOffset, window.end);
    while (window.position < window.end) {
      const at = bytes.indexOf(LINE_FEED, window.position);
      window.position = at < 0 ? window.end : at;
      if (at < 0 || (window.available < MAX_HEADER_SIZE && !window.ended)) break;
      if (isHeader(window)) return true;
      window.position = at + 1;
    }
    if (window.ended && window.available === 0) return false;
  }
}

/**
 * Whether a V2.0 unit header holds its own offset and a correct CRC. Guest memory may hold pieces of saved states, but
 * not at their own offsets.
 */
export function isUnitHeaderV2(window: HeaderPlace): boolean {
  const { view, position, offset, available } = window;
  return (
    available >= V2_SIZE && readU64(view, position + unitHeaderV2.offsets.offset) === offset && hasRightCrc(window)
  );
}

/** Whether the bytes are a V2.0 unit header with a correct CRC, whatever offset it claims. */
export function hasRightCrc(window: HeaderPlace): boolean {
  const { bytes, view, position } = window;
  if (window.available < V2_SIZE || !hasMagic(window)) return false;
  const nameSize = view.getUint32(position + unitHeaderV2.offsets.nameSize, true);
  if (nameSize > NAME_LIMIT || window.available < V2_SIZE + nameSize) return false;
  const { crc } = unitHeaderV2.offsets;
  return (
    crcWithout(bytes.subarray(position, position + V2_SIZE + nameSize), crc) === view.getUint32(position + crc, true)
  );
}

/**
 * Whether the bytes may be a V1.x unit header. Such headers have no CRC, so all fields must make sense, and the unit
 * must end within the file.
 */
export function isUnitHeaderV1(window: HeaderPlace): boolean {
  const { bytes, view, position, offset } = window;
  if (window.available < V1_SIZE || !hasMagic(window)) return false;
  const size = readU64(view, position + unitHeaderV1.offsets.size);
  const nameSize = view.getUint32(position + unitHeaderV1.offsets.nameSize, true);
  const fileSize = window.source.size ?? Number.POSITIVE_INFINITY;
  if (offset + size > fileSize || size < V1_SIZE + nameSize || nameSize > NAME_LIMIT) return false;
  if (startsWith(bytes, position, END_MAGIC)) return size === V1_SIZE && nameSize === 0;
  const name = bytes.subarray(position + V1_SIZE, position + V1_SIZE + nameSize);
  return (
    nameSize > 1 &&
    name.length === nameSize &&
    name.every((byte, i) => (i === nameSize - 1 ? byte === 0 : byte >= 0x20 && byte < 0x7f))
  );
}

function hasMagic({ bytes, position }: HeaderPlace): boolean {
  return startsWith(bytes, position, UNIT_MAGIC) || startsWith(bytes, position, END_MAGIC);
}
