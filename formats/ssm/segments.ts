import { FormatError, hex } from '../errors.ts';
import type { Arena, Window } from '../files/window.ts';
import { copyBytes } from '../kernels/arena.ts';
import { lzfDecode } from '../kernels/lzf.ts';

/** Encoding of a segment or a page in the window. */
export const Encoding = {
  /** No bytes: the kind of the record implies the content. */
  NONE: 0,
  /** Stored. */
  RAW: 1,
  /** Compressed with LZF. */
  LZF: 2,
  /** Zeros; only their number is stored. */
  ZERO: 3,
} as const;

const CAPACITY = 2048;

/**
 * A table of payload pieces of one unit, in order: the common form of container records (V2.0) and compressed blocks
 * (V1.x). Positions are indices into `window.bytes` and hold until the reader's next step.
 */
export class SegmentTable {
  readonly capacity = CAPACITY;
  count = 0;
  readonly encoding = new Uint8Array(CAPACITY);
  readonly at = new Uint32Array(CAPACITY);
  /** Bytes in the window. */
  readonly length = new Uint32Array(CAPACITY);
  /** Bytes after decoding. */
  readonly size = new Uint32Array(CAPACITY);
  /** The window that `at` points into. */
  window: Window;
  /** Decoded bytes of the unit so far. */
  payloadSize = 0;

  constructor(window: Window) {
    this.window = window;
  }

  add(encoding: number, at: number, length: number, size: number): void {
    const i = this.count++;
    this.encoding[i] = encoding;
    this.at[i] = at;
    this.length[i] = length;
    this.size[i] = size;
    this.payloadSize += size;
  }

  /** Writes the decoded bytes of segment `i` to `target[to, to + size[i])`. @throws FormatError `bad-compression` */
  decode(i: number, target: Uint8Array, to: number): void {
    const at = this.at[i];
    const size = this.size[i];
    const { bytes } = this.window;
    if (this.encoding[i] === Encoding.RAW) copyBytes(bytes, at, size, target, to);
    else if (this.encoding[i] === Encoding.ZERO) target.fill(0, to, to + size);
    else decompress(this.window, at, this.length[i], target, to, size);
  }
}

/**
 * Writes a decompressed block of `window` to `target[to, to + size)`. @throws FormatError `bad-compression`, unless the
 * window patches bad blocks
 */
export function decompress(
  window: Arena,
  at: number,
  length: number,
  target: Uint8Array,
  to: number,
  size: number,
): void {
  if (lzfDecode(window.bytes, at, length, target, to, size)) return;
  const error = badCompression(window.offsetOf(at));
  if (!window.patch) throw error;
  window.patch.onBadBlock(error);
  target.fill(window.patch.fill, to, to + size);
}

export function badCompression(offset: number): FormatError {
  const message = `Cannot decompress block at ${hex(offset)}: the LZF data is damaged`;
  return new FormatError('bad-compression', message, { offset }, 'VERR_SSM_INTEGRITY_DECOMPRESSION');
}
