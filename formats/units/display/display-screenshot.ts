import { Cursor, OutOfBytes } from '../../binary/cursor.ts';
import { checkPng, type PictureSize } from '../../binary/png.ts';
import { FormatError, hex } from '../../errors.ts';
import { SIZE_OF_SIZES } from './codecs.ts';

/** Unit "DisplayScreenshot", instance 1100: pictures of the screen for the user interface. */
export const SCREENSHOT_UNIT = { name: 'DisplayScreenshot', instance: 1100 } as const;
/** Versions 1.x, whose upper half is 1. */
export const SCREENSHOT_MAJOR = 1;
/** Maximum size, in bytes, of the unit: far more than an uncompressed picture of VirtualBox's largest screen takes. */
export const SCREENSHOT_LIMIT = 64 * 1024 * 1024;

/** Kinds of blocks: a small picture of raw dots, and a whole one as PNG. Width and height, u32 each, precede either. */
const PNG_BLOCK = 1;
/** Maximum number of blocks of the unit; VirtualBox writes two. */
const MAX_BLOCKS = 64;

export interface Screenshot extends PictureSize {
  /** The picture, as a piece of the payload. */
  png: Uint8Array;
  /** Offset in the payload. */
  offset: number;
}

/** The picture of the screen, checked to be whole; undefined if the unit has none. @throws FormatError */
export function readScreenshot(payload: Uint8Array): Screenshot | undefined {
  const cursor = new Cursor(payload);
  try {
    const count = cursor.u32();
    if (count > MAX_BLOCKS)
      throw new FormatError('bad-screenshot', `Cannot read unit DisplayScreenshot: it claims ${count} pictures`);
    for (let i = 0; i < count; i++) {
      const size = cursor.u32();
      const type = cursor.u32();
      // For a missing picture, width and height are not written, though its size counts them.
      if (size <= SIZE_OF_SIZES) continue;
      const offset = cursor.at + SIZE_OF_SIZES;
      const block = cursor.view(size);
      if (type === PNG_BLOCK) return checked(block, offset);
    }
    return undefined;
  } catch (error) {
    if (!(error instanceof OutOfBytes)) throw error;
    throw new FormatError(
      'too-short',
      `Cannot read unit DisplayScreenshot: it ends before its pictures do`,
      {},
      'VERR_SSM_LOADED_TOO_MUCH',
    );
  }
}

function checked(block: Uint8Array, offset: number): Screenshot {
  const cursor = new Cursor(block);
  const said = { width: cursor.u32(), height: cursor.u32() };
  const png = block.subarray(SIZE_OF_SIZES);
  const size = checkPng(png);
  if (size.width === said.width && size.height === said.height) return { ...size, png, offset };
  const text = ({ width, height }: PictureSize) => `${width}×${height}`;
  throw new FormatError(
    'bad-screenshot',
    `Cannot read unit DisplayScreenshot: the picture at ${hex(offset)} has ${text(size)} dots, the unit says ` +
      `${text(said)}`,
  );
}
