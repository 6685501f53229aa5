import { FormatError, hex } from '../errors.ts';
import type { Arena, Window } from '../files/window.ts';
import { copyBytes } from '../kernels/arena.ts';
import { lzfDecode } from '../kernels/lzf.ts';

/** How the bytes of a segment or a page stand in the window. */
export const Encoding = {
  /** Nothing stands there: the kind of the record says all. */
  NONE: 0,
  /** As it is. */
  RAW: 1,
  /** Compressed with LZF. */
  LZF: 2,
  /** Zeros, of which only the number is stored. */
  ZERO: 3,
} as const;

const CAPACITY = 2048;

/**
 * A table of payload pieces of one unit, in order: what container records (V2.0) and compressed blocks (V1.x) come down
 * to. Positions are indices into `window.bytes` and hold until the reader's next step.
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
  /** Where `at` points. */
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
