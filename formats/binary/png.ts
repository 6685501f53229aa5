import { FormatError } from '../errors.ts';
import { crc32 } from './crc32.ts';

/** Width and height in dots. */
export interface PictureSize {
  width: number;
  height: number;
}

const SIGNATURE = Buffer.from('89504e470d0a1a0a', 'hex');
/** Length, type, CRC. */
const FRAME = 12;
const HEADER_LENGTH = 13;
/** Largest width or height of a PNG. */
const MAX_SIDE = 0x7fffffff;

/**
 * Checks that bytes are one whole PNG: signature, chunks with their CRCs from IHDR to IEND, nothing after. The picture
 * itself is not decoded. @throws FormatError `bad-png`
 */
export function checkPng(png: Uint8Array): PictureSize {
  const view = new DataView(png.buffer, png.byteOffset, png.byteLength);
  if (Buffer.compare(png.subarray(0, SIGNATURE.length), SIGNATURE) !== 0) throw bad('it does not start like one');
  let size: PictureSize | undefined;
  let hasData = false;
  for (let at = SIGNATURE.length; at < png.length; ) {
    if (at + FRAME > png.length) throw bad('it ends within a chunk');
    const length = view.getUint32(at);
    const end = at + FRAME + length;
    if (end > png.length) throw bad('it ends within a chunk');
    const type = Buffer.from(png.subarray(at + 4, at + 8)).toString('latin1');
    if (crc32(png.subarray(at + 4, end - 4)) !== view.getUint32(end - 4))
      throw bad(`the CRC of its chunk ${JSON.stringify(type)} is wrong`);
    if ((type === 'IHDR') !== (size === undefined)) throw bad('its header is not the first chunk, or comes twice');
    size ??= sizeOf(view, at + 8, length);
    hasData ||= type === 'IDAT';
    if (type === 'IEND') {
      if (end !== png.length) throw bad('bytes follow its end');
      if (!hasData) throw bad('it holds no picture');
      return size;
    }
    at = end;
  }
  throw bad('it has no end');
}

function sizeOf(view: DataView, at: number, length: number): PictureSize {
  if (length !== HEADER_LENGTH) throw bad('its header has another length');
  const size = { width: view.getUint32(at), height: view.getUint32(at + 4) };
  if (Object.values(size).some((side) => side < 1 || side > MAX_SIDE)) throw bad('its header names an impossible size');
  return size;
}

function bad(what: string): FormatError {
  return new FormatError('bad-png', `Cannot read picture: it is no whole PNG, ${what}`);
}
