import { Packr } from 'msgpackr';
import { FormatError } from '../errors.ts';

/** Limits of a message. */
export interface MessageLimits {
  /** All values, with values inside of others; each takes some 60 bytes when it is unpacked. */
  values: number;
  /** Depth of nested lists and maps. */
  depth: number;
}

/** Plain MessagePack only: other readers do not know this library's extensions. Its types lack `skipValues`. */
const options = { useRecords: false, moreTypes: false, mapsAsObjects: true, skipValues: [undefined] };
const packr = new Packr(options);

/** A value in MessagePack. Fields that are undefined are left out, as in JSON. */
export function packMessage(value: object): Uint8Array {
  return packr.pack(value);
}

/** Checks a message, and unpacks it; lists of bytes are borrowed. @throws FormatError `bad-message` */
export function unpackMessage(bytes: Uint8Array, limits: MessageLimits): unknown {
  checkMessagePack(bytes, limits);
  try {
    return packr.unpack(bytes);
  } catch (error) {
    throw bad((error as Error).message);
  }
}

/**
 * Checks MessagePack before it is unpacked: that it is one whole value of the plain kinds, within limits; a message of
 * one byte a value would take 60 times its size in memory. The check itself takes none.
 * @throws FormatError `bad-message`
 */
export function checkMessagePack(bytes: Uint8Array, { values, depth }: MessageLimits): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  /** Values that are still to come, by depth. */
  const open = [1];
  let at = 0;
  for (let count = 0; open.length > 0; ) {
    const last = open.length - 1;
    if (open[last]-- === 0) {
      open.pop();
      continue;
    }
    if (++count > values) throw bad(`it has more than ${values} values`);
    if (at >= bytes.length) throw bad('it ends too soon');
    const { head, skip, inside } = headOf(view, at);
    at += head + skip;
    if (at > bytes.length) throw bad('it ends too soon');
    if (inside === 0) continue;
    if (open.length > depth) throw bad(`it is nested deeper than ${depth}`);
    open.push(inside);
  }
  if (at !== bytes.length) throw bad(`${bytes.length - at} bytes follow its end`);
}

interface ValueHead {
  /** Bytes of the head itself, and of the content after it. */
  head: number;
  skip: number;
  /** Values inside: items of a list, keys and values of a map. */
  inside: number;
}

/** Kinds with a length of 1, 2 or 4 bytes, from their first marker on. */
const SIZED: readonly { from: number; widths: readonly number[]; kind: 'bytes' | 'list' | 'map' }[] = [
  { from: 0xc4, widths: [1, 2, 4], kind: 'bytes' },
  { from: 0xd9, widths: [1, 2, 4], kind: 'bytes' },
  { from: 0xdc, widths: [2, 4], kind: 'list' },
  { from: 0xde, widths: [2, 4], kind: 'map' },
];
/** Bytes that follow the markers 0xca to 0xd3: floats, unsigned, signed. */
const NUMBERS = [4, 8, 1, 2, 4, 8, 1, 2, 4, 8];

function headOf(view: DataView, at: number): ValueHead {
  const marker = view.getUint8(at);
  if (marker < 0x80 || marker >= 0xe0) return { head: 1, skip: 0, inside: 0 };
  if (marker < 0x90) return { head: 1, skip: 0, inside: (marker & 15) * 2 };
  if (marker < 0xa0) return { head: 1, skip: 0, inside: marker & 15 };
  if (marker < 0xc0) return { head: 1, skip: marker & 31, inside: 0 };
  if (marker === 0xc0 || marker === 0xc2 || marker === 0xc3) return { head: 1, skip: 0, inside: 0 };
  if (marker >= 0xca && marker <= 0xd3) return { head: 1, skip: NUMBERS[marker - 0xca], inside: 0 };
  const sized = SIZED.find(({ from, widths }) => marker >= from && marker < from + widths.length);
  if (!sized) throw bad(`it holds a value of kind 0x${marker.toString(16)}`);
  const width = sized.widths[marker - sized.from];
  if (at + 1 + width > view.byteLength) throw bad('it ends too soon');
  const length = width === 1 ? view.getUint8(at + 1) : width === 2 ? view.getUint16(at + 1) : view.getUint32(at + 1);
  const inside = sized.kind === 'bytes' ? 0 : sized.kind === 'list' ? length : length * 2;
  return { head: 1 + width, skip: sized.kind === 'bytes' ? length : 0, inside };
}

function bad(why: string): FormatError {
  return new FormatError('bad-message', `Cannot read MessagePack: ${why}`);
}
